"""Every promise of the door to servers, against servers that are hostile, broken or busy."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from web_server import Reply, Request, Server, ranged, serving

from georoads.errors import SceneError
from georoads.remote.client import Answer, Client, Span
from georoads.remote.hosts import Origin, origin_of, resolve
from georoads.remote.params import RemoteParams
from georoads.remote.patience import asked_pause_s, pause_s

FAST = RemoteParams(pause_s=0.01, attempts=3, timeout_s=5)


def ask(
    url: str,
    *,
    named: tuple[str, ...] | None = None,
    limit: int = 1000,
    params: RemoteParams = FAST,
    **more: Any,
) -> Answer:
    """Ask once, as if the user had typed the address."""
    with Client(params, (url,) if named is None else named, more.pop("headers", None)) as client:
        return client.get(url, "it", limit, **more)


def refuses(url: str, says: str, hint: str = "", **more: Any) -> None:
    with pytest.raises(SceneError) as caught:
        ask(url, **more)
    assert says in caught.value.message
    assert hint in caught.value.hint and caught.value.hint


# Sizes, spans and kinds


def test_what_is_there_comes() -> None:
    with serving(
        lambda r: Reply(b"abc", headers={"Content-Type": "Image/PNG; q=1", "ETag": '"1"'})
    ) as server:
        answer = ask(f"{server.url}/a%20b?c=d&e=%2F ü")
    assert (answer.status, answer.content, answer.validator) == (200, b"abc", '"1"')
    assert server.asked[0].path == "/a%20b?c=d&e=%2F%20%C3%BC"
    assert server.asked[0].headers["User-Agent"].startswith("georoads/")
    assert server.asked[0].headers["Host"] == f"127.0.0.1:{server.port}"


def test_a_part_of_a_file() -> None:
    with serving(lambda r: ranged(bytes(range(100)), r)) as server:
        answer = ask(f"{server.url}/a", span=Span(10, 14))
        assert (answer.status, answer.content, answer.total) == (206, b"\x0a\x0b\x0c\x0d", 100)
        assert ask(f"{server.url}/a", span=Span(98, 200)).content == b"bc"


@pytest.mark.parametrize("span", ["bytes 0-3/100", "bytes 10-13/*", "", "lines 10-13/100", "bytes 10-14/100"])
def test_another_part_than_was_asked_for_is_refused(span: str) -> None:
    reply = Reply(b"abcd", 206, {"Content-Range": span})
    with serving(lambda r: reply) as server:
        refuses(f"{server.url}/a", "another part than was asked for", span=Span(10, 14))


def test_what_is_too_large_is_refused_by_its_size_and_by_its_bytes() -> None:
    def endless(wfile: Any) -> None:
        wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            wfile.write(b"x" * 1000)

    with serving(lambda r: Reply(raw=endless) if r.path == "/endless" else Reply(b"x" * 1001)) as server:
        refuses(f"{server.url}/stated", "sends more than 0.001 MB")
        refuses(f"{server.url}/endless", "sends more than 0.001 MB")
        assert len(ask(f"{server.url}/stated", limit=1001).content) == 1001


def test_all_answers_together_are_bounded() -> None:
    with serving(lambda r: Reply(b"x" * 900)) as server:
        client = Client(replace(FAST, max_mb=0.002), (server.url,))
        client.get(server.url, "it", 1000)
        client.get(server.url, "it", 1000)
        with pytest.raises(SceneError, match=r"more than 0.002 MB"):
            client.get(server.url, "it", 1000)


def test_what_is_packed_unasked_is_refused() -> None:
    with serving(lambda r: Reply(b"x", headers={"Content-Encoding": "gzip"})) as server:
        refuses(server.url, "packs what it sends")
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(("status", "says"), [(401, "refuses access"), (403, "refuses access"), (400, "400")])
def test_what_will_not_change_is_asked_for_once(status: int, says: str) -> None:
    with serving(lambda r: Reply(b"", status)) as server:
        refuses(server.url, says)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [204, 404, 410])
def test_nothing_there_is_no_error(status: int) -> None:
    with serving(lambda r: Reply(b"", status)) as server:
        assert ask(server.url).is_missing


# Patience


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    replies = iter([Reply(b"", status), Reply(b"", status), Reply(b"there")])
    with serving(lambda r: next(replies)) as server:
        assert ask(server.url).content == b"there"


def test_a_server_that_stays_busy_is_given_up() -> None:
    with serving(lambda r: Reply(b"", 500)) as server:
        refuses(server.url, "the server answered 500 (3 attempts)", "--resume")
    assert len(server.asked) == 3


def test_the_pause_that_a_server_asks_for_is_kept_by_all_threads() -> None:
    begun = time.monotonic()
    seen: list[float] = []

    def answer(request: Request) -> Reply:
        seen.append(time.monotonic() - begun)
        return Reply(b"", 429, {"Retry-After": "1"}) if len(seen) == 1 else Reply(b"x")

    with serving(answer) as server, Client(FAST, (server.url,)) as client:
        first = threading.Thread(target=client.get, args=(server.url, "it", 10))
        first.start()
        time.sleep(0.3)
        client.get(server.url, "it", 10)
        first.join()
    assert len(seen) == 3
    assert min(seen[1:]) >= 0.95


def test_a_server_that_wants_a_long_rest_is_not_waited_for() -> None:
    with serving(lambda r: Reply(b"", 429, {"Retry-After": "3600"})) as server:
        refuses(server.url, "asks for 3600 s of rest", "--resume")


def test_pauses() -> None:
    assert [pause_s(n, 0, 0.5) for n in (1, 2, 3, 20)] == [0.5, 1, 2, 60]
    assert asked_pause_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert asked_pause_s("Fri, 21 Oct 2072 07:28:00 GMT") > 3000


def test_a_connection_that_breaks_off_is_tried_again() -> None:
    def broken(wfile: Any) -> None:
        wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    replies = iter([Reply(raw=broken), Reply(raw=lambda w: None), Reply(b"abcdefghij")])
    with serving(lambda r: next(replies)) as server:
        assert ask(server.url).content == b"abcdefghij"


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_server_that_drips_is_cut_off(part: str) -> None:
    def drip(wfile: Any) -> None:
        wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 900\r\n\r\n" if part == "body" else b"X: "))
        for _ in range(100):
            wfile.write(b"x")
            wfile.flush()
            time.sleep(0.05)

    begun = time.monotonic()
    with serving(lambda r: Reply(raw=drip)) as server:
        refuses(server.url, "took longer than 0.3 s", params=replace(FAST, timeout_s=0.3, attempts=2))
    assert time.monotonic() - begun < 3


def test_closing_ends_what_other_threads_wait_for() -> None:
    began, gone = threading.Event(), threading.Event()

    def silent(wfile: Any) -> None:
        began.set()
        gone.wait(5)

    with serving(lambda r: Reply(raw=silent)) as server:
        client = Client(FAST, (server.url,))
        failed: list[SceneError] = []

        def get() -> None:
            try:
                client.get(server.url, "it", 10)
            except SceneError as e:
                failed.append(e)

        thread = threading.Thread(target=get)
        thread.start()
        assert began.wait(5)
        begun = time.monotonic()
        client.close()
        thread.join(3)
        gone.set()
    assert failed and time.monotonic() - begun < 2


# Whom we talk to


def test_redirects_stay_on_their_host() -> None:
    places = {"/a": "/b", "/b": "c", "/c": ""}

    def answer(request: Request) -> Reply:
        place = places[request.path]
        return Reply(b"", 302, {"Location": place}) if place else Reply(b"there")

    with serving(answer) as server:
        assert ask(f"{server.url}/a").content == b"there"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("http://example.org/a", "redirected to http://example.org, which was not asked for"),
        ("//example.org/a", "redirected to http://example.org"),
        ("http://127.0.0.1:1/a", "redirected to http://127.0.0.1:1"),
        ("file:///etc/passwd", "redirected to what is no web address"),
        ("ftp://127.0.0.1/a", "redirected to what is no web address"),
        ("", "which was not asked for"),
        ("/a", "redirected again and again"),
    ],
)
def test_redirects_elsewhere_are_refused(place: str, says: str) -> None:
    with serving(lambda r: Reply(b"", 302, {"Location": place} if place else {})) as server:
        refuses(f"{server.url}/a", says)


def test_a_redirect_from_https_to_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from georoads.remote.client import _next_place

    assert _next_place("http://h/a", "https://h/b", "it") == "https://h/b"
    for there in ("http://h/b", "https://h:444/b"):
        with pytest.raises(SceneError, match="redirected to"):
            _next_place("https://h/a", there, "it")


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
        "::ffff:10.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_names_that_lead_to_private_places_are_refused(ip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where only one of several addresses does, and the user has typed the name."""
    found = [(0, 0, 0, "", ("93.184.216.34", 80)), (0, 0, 0, "", (ip, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    url = "http://tiles.example.org/a"
    refuses(url, "lies on this machine or in a private network", "--set remote.private=tiles.example.org")
    assert resolve(origin_of(url), private_allowed=True) == ("93.184.216.34", ip)


def test_a_private_place_must_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a document on a public server links to is not typed."""
    with serving(lambda r: Reply(b"secret")) as server:
        typed_elsewhere = ("http://example.org/item.json",)
        for url in (server.url, f"http://localhost:{server.port}", f"http://2130706433:{server.port}"):
            refuses(url, "private network", named=typed_elsewhere)
        refuses(f"http://2130706433:{server.port}", "private network")  # it does not say where it lies
        refuses(server.url, "private network", named=("http://127.0.0.1:1/",))
        assert not server.asked
        assert ask(server.url).content == b"secret"
        assert ask(f"http://localhost:{server.port}").content == b"secret"


def test_a_name_is_resolved_once_and_stays_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolved(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    params = replace(FAST, private="x.org, Tiles.example.org")
    with serving(lambda r: Reply(b"x")) as server, Client(params) as client:
        for _ in range(3):
            client.get(f"http://tiles.example.org:{server.port}/", "it", 10)
        assert server.asked[0].headers["Host"] == f"tiles.example.org:{server.port}"
    assert asked.count("tiles.example.org") == 1


def test_the_first_address_that_takes_a_connection_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def resolved(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        """Nothing listens at the first of two."""
        places = ("::1", "127.0.0.1") if host == "two.example.org" else (host,)
        return [entry for place in places for entry in known(place, port, *more, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with serving(lambda r: Reply(b"x")) as server:
        params = replace(FAST, private="two.example.org")
        assert ask(f"http://two.example.org:{server.port}/", params=params).content == b"x"


def test_no_server_no_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        refuses(url, f"there is no connection to {url[:-1]} (2 attempts)")
    refuses("http://nowhere.invalid/", "the name nowhere.invalid cannot be resolved")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/a", "gopher://h", "https://", "http://a b/"])
def test_other_addresses_are_not_fetched(url: str) -> None:
    with pytest.raises(SceneError):
        origin_of(url)


def test_origins() -> None:
    assert origin_of("https://ann:pw@Example.org./a?b#c") == Origin("https", "example.org", 443)
    assert origin_of("http://bücher.example:81").host == "xn--bcher-kva.example"


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would resolve names in our place."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(lambda r: Reply(b"x")) as server:
        assert ask(server.url).content == b"x"


# Secrets


def test_headers_and_logins_go_to_the_servers_that_were_typed_alone() -> None:
    with serving(lambda r: Reply(b"x")) as typed_server, serving(lambda r: Reply(b"x")) as other:
        address = typed_server.url.replace("://", "://ann:s%40crt@")
        with Client(replace(FAST, private="127.0.0.1"), (address,), {"X-Key": "s3cr3t"}) as client:
            client.get(f"{typed_server.url}/a", "it", 10)
            client.get(f"{other.url}/a", "it", 10)
    told, untold = typed_server.asked[0].headers, other.asked[0].headers
    assert told["X-Key"] == "s3cr3t"
    assert told["authorization"] == "Basic YW5uOnNAY3J0"
    assert not {"X-Key", "authorization"} & {name for name in untold}


def test_errors_hold_no_secrets() -> None:
    def answer(request: Request) -> Reply:
        return Reply(b"", 302, {"Location": "https://ann:s3cr3t@example.org/?key=s3cr3t"})

    with serving(answer) as server, pytest.raises(SceneError) as caught:
        ask(f"{server.url}/s3cr3t")
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(SceneError) as caught:
        ask("http://127.0.0.1:1/s3cr3t")
    assert "s3cr3t" not in str(caught.value) and caught.value.__cause__ is None


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates for localhost and for another name, each its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make certificates")
    folder = tmp_path_factory.mktemp("tls")
    for name in ("localhost", "other.example"):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"openssl makes no certificate: {done.stderr[-200:]}")
    return folder


@pytest.fixture
def tls_server(certificates: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{request.param}.pem", certificates / f"{request.param}.key")
    with serving(lambda r: Reply(b"safe"), context) as server:
        yield server


@pytest.mark.parametrize("tls_server", ["localhost"], indirect=True)
def test_a_certificate_must_be_trusted(
    tls_server: Server, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://localhost:{tls_server.port}/"
    refuses(url, "cannot be trusted", "SSL_CERT_FILE")
    assert not tls_server.asked
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "localhost.pem"))
    assert ask(url).content == b"safe"


@pytest.mark.parametrize("tls_server", ["other.example"], indirect=True)
def test_a_certificate_must_be_that_of_the_name(
    tls_server: Server, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the connection goes to a number."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "other.example.pem"))
    refuses(f"https://localhost:{tls_server.port}/", "cannot be trusted")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", tls_server.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    params = replace(FAST, private="other.example")
    assert ask(f"https://other.example:{tls_server.port}/", params=params).content == b"safe"
