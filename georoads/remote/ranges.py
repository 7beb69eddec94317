"""A file on a server, read by ranges: GDAL is handed a file object, and never an address."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from georoads.errors import SceneError
from georoads.remote.address import Address
from georoads.remote.client import Client, Span
from georoads.remote.pieces import Pieces

PAGE = 1 << 17
"""Bytes that are asked for, and kept, together."""
_MOST_PAGES = 16
"""Neighbours that are asked for at once."""
_CHANGED_HINT = "run again with --restart, when nobody writes to it"


@dataclass(frozen=True)
class RemoteFile:
    """A file that a server sends in parts.

    Attributes:
        address: of the file.
        size: bytes.
        validator: changes when the file does; "" where the server does not say.
    """

    address: Address
    size: int
    validator: str = field(default="")

    @property
    def pages(self) -> int:
        """Into which it is divided."""
        return -(-self.size // PAGE)

    def fetch(self, client: Client, first: int, last: int) -> list[bytes]:
        """The pages from one to another, both included.

        Args:
            client: the door.
            first, last: numbers of pages.

        Raises:
            SceneError: as ``Client.get``; the file has changed.
        """
        span = Span(first * PAGE, min(self.size, (last + 1) * PAGE))
        answer = client.get(self.address.url, self.address.shown, span.end - span.start, span)
        if answer.status != 206 or (answer.total, answer.validator) != (self.size, self.validator):
            raise SceneError(f"{self.address.shown} was changed while it was read", _CHANGED_HINT)
        return [answer.content[at : at + PAGE] for at in range(0, len(answer.content), PAGE)]


class Pages:
    """The pages of a file that have come, in memory or among the pieces of a work; others are fetched."""

    def __init__(self, file: RemoteFile, client: Client, pieces: Pieces | None = None, key: str = "") -> None:
        """
        Args:
            file: on the server.
            client: the door.
            pieces: where pages are kept; None: in memory.
            key: how their names begin.
        """
        self.file = file
        self.seen: dict[int, bytes] = {}
        self._client, self._pieces, self._key = client, pieces, key

    def has(self, page: int) -> bool:
        """Whether a page has come, and is undamaged."""
        return page in self.seen or self._kept(page) is not None

    def put(self, page: int, content: bytes) -> None:
        """Keep a page."""
        if self._pieces is None:
            self.seen[page] = content
        else:
            self._pieces.put(f"{self._key}{page}", content)

    def get(self, page: int) -> bytes:
        """A page, which is fetched if need be."""
        content = self.seen.get(page) or self._kept(page)
        if content is None:
            (content,) = self.file.fetch(self._client, page, page)
            self.put(page, content)
        return content

    def _kept(self, page: int) -> bytes | None:
        return self._pieces.get(f"{self._key}{page}") if self._pieces is not None else None


def spans_of(pages: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Pages, in order, put together to neighbours that are asked for at once: the first and the last of each.

    Example:
        >>> list(spans_of([1, 2, 3, 7, 9, 10]))
        [(1, 3), (7, 7), (9, 10)]
    """
    first = last = -1
    for page in pages:
        if first >= 0 and page == last + 1 and page - first < _MOST_PAGES:
            last = page
            continue
        if first >= 0:
            yield first, last
        first = last = page
    if first >= 0:
        yield first, last


class PagedFile(io.RawIOBase):
    """A file object over pages.

    What goes wrong is kept: GDAL, which calls us, makes a sentence of its own of it.

    Attributes:
        error: the first thing that went wrong.
    """

    def __init__(self, pages: Pages) -> None:
        self.error: SceneError | None = None
        self._pages = pages
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte, counted from the beginning (0), from here (1) or from the end (2)."""
        self._at = max(0, offset + (0, self._at, self._pages.file.size)[whence])
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer at the end, none where they cannot be fetched."""
        whole = self._pages.file.size
        end = whole if size is None or size < 0 else min(whole, self._at + size)
        parts: list[bytes] = []
        while self._at < end and self.error is None:
            page, begin = divmod(self._at, PAGE)
            try:
                content = self._pages.get(page)
            except SceneError as e:
                self.error = e
                break
            part = content[begin : begin + end - self._at]
            parts.append(part)
            self._at += len(part)
        return b"".join(parts)


def opener_of(file: PagedFile, name: str) -> Callable[..., PagedFile]:
    """What rasterio asks for files: it is given this one by its name, and no other.

    Args:
        file: the only one.
        name: of it.
    """

    def open_it(path: str, mode: str = "rb", **_: object) -> PagedFile:
        # rasterio asks for "test" first, to see what kind of objects it is given.
        if "r" not in mode or path not in (name, "test"):
            raise FileNotFoundError(path)
        return _Handle(file) if path == name else file

    return open_it


class _Handle(PagedFile):
    """Another place in the same file; errors are told to the first one."""

    def __init__(self, file: PagedFile) -> None:
        super().__init__(file._pages)
        self._first = file

    def read(self, size: int = -1) -> bytes:
        """As that of the first."""
        content = super().read(size)
        self._first.error = self._first.error or self.error
        return content
