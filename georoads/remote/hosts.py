"""Which machines may be asked: names are resolved here, and every address is looked at before it is used."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from georoads.errors import SceneError

IpAddress = IPv4Address | IPv6Address
PORTS = {"http": 80, "https": 443}
"""The schemes that are spoken, and their usual ports."""
_NAT64 = ip_network("64:ff9b::/96")
_LAST_32 = 0xFFFFFFFF


@dataclass(frozen=True)
class Origin:
    """Whom an address asks.

    Attributes:
        scheme: http or https.
        host: name or number, in lower case, without brackets.
        port: of the server.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")

    @property
    def is_named_private(self) -> bool:
        """Whether it says itself that it lies here or in a private network: ``localhost``, 10.0.0.1."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return not is_public(ip_address(self.host))
        except ValueError:
            return False


def origin_of(url: str) -> Origin:
    """Scheme, host and port of an address.

    Raises:
        SceneError: it is no address of a web server.

    Example:
        >>> str(origin_of("HTTPS://Tiles.Example.org:443/1/2/3.png")), origin_of("http://[::1]:80/").host
        ('https://tiles.example.org', '::1')
    """
    try:
        parts: SplitResult = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as e:
        raise SceneError("an address cannot be read", "it is as in https://HOST/PATH") from e
    if parts.scheme not in PORTS or not host or any(c.isspace() or c in "%\\" for c in host):
        raise SceneError(
            f"an address of the kind {parts.scheme[:20] or 'without a scheme'}: is not fetched",
            "addresses begin with https:// or http:// and a host",
        )
    try:
        host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError as e:
        raise SceneError("an address names a host that cannot be one", "check the address") from e
    return Origin(parts.scheme, host.lower(), port or PORTS[parts.scheme])


def is_public(address: IpAddress) -> bool:
    """Whether an IP address belongs to the public internet; of one that holds another, whether that does.

    Example:
        >>> [is_public(ip_address(a)) for a in ("8.8.8.8", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1")]
        [True, False, False, False]
    """
    inner = _held_in(address)
    if inner is not None:
        return is_public(inner)
    is_odd = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    return address.is_global and not is_odd


def _held_in(address: IpAddress) -> IPv4Address | None:
    """The IPv4 address to which one of version 6 leads: mapped, by NAT64, 6to4 or Teredo."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & _LAST_32)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def resolve(origin: Origin, *, private_allowed: bool) -> tuple[str, ...]:
    """The IP addresses of a host, each of which may be connected to.

    Args:
        origin: whom to ask.
        private_allowed: True where the user has named this machine or network.

    Raises:
        SceneError: one of them is not public, and that was not allowed.
        OSError: the name is not known, or cannot be asked for now.
    """
    found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    if not private_allowed and not all(is_public(ip_address(a)) for a in addresses):
        raise SceneError(
            f"{origin} lies on this machine or in a private network",
            f"where that is meant: --set remote.private={origin.host}",
        )
    return addresses
