"""A Kaggle of our own on 127.0.0.1: its door (tokens, forwarding) and its store (ranges, cut-offs)."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

GOOD_TOKEN, GOOD_KEY = "KGAT_good", ("ann", "k3y")
DOOR = "/v1/datasets.DatasetApiService/DownloadDataset"
RENEW = "/v1/users.AccountService/GenerateAccessToken"
HEAD = "image_id,split,sat_image_path,mask_path"


def kaggle_files(labelled: int = 3, valid: int = 2, test: int = 1, big: int = 0) -> dict[str, bytes]:
    """A small set in Kaggle's layout; the first picture has ``big`` bytes that do not pack."""
    rows, files = [HEAD], {"class_dict.csv": b"name,r,g,b\r\nroad,255,255,255\r\nbackground,0,0,0\r\n"}
    for split, n in (("train", labelled), ("valid", valid), ("test", test)):
        for i in range(n):
            mask = f"{split}/{i}_mask.png" if split == "train" else ""
            rows.append(f"{split}{i},{split},{split}/{i}_sat.jpg,{mask}")
            files[f"{split}/{i}_sat.jpg"] = f"{split} picture {i}".encode()
            if mask:
                files[mask] = f"mask {i}".encode()
    if big:
        files["train/0_sat.jpg"] = np.random.default_rng(1).bytes(big)
    files["metadata.csv"] = "\r\n".join(rows).encode()
    return files


def zipped(files: dict[str, bytes], below: str = "") -> bytes:
    """A zip archive of the files, perhaps below a folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in files.items():
            z.writestr(below + name, content)
    return buffer.getvalue()


class FakeKaggle(ThreadingHTTPServer):
    """What it does stands in its fields; what it was asked, too.

    Attributes:
        archive: the bytes of the file.
        etag: of the file.
        door: a status and message for each of the next requests to the API; then all goes well.
        store: what happens at each of the next requests for the file: a number of bytes after which the
            connection is cut, a status with its Retry-After, "whole" (Range is ignored), "silent", "longer"
            (more than stated), "unsized" (no length), "bad range"; then all goes well.
        ranges: the Range headers of the requests for the file.
        asked: the paths of the requests to the API.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archive = archive
        self.etag = '"one"'
        self.door: list[tuple[int, str]] = []
        self.store: list[int | str | tuple[int, str]] = []
        self.ranges: list[str] = []
        self.asked: list[str] = []
        self.stop = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def address(self) -> str:
        """Where Kaggle forwards to: the file itself."""
        return f"{self.url}/store/archive.zip?signed=secret"


class _Handler(BaseHTTPRequestHandler):
    server: FakeKaggle

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(self.path)
        if self.path == RENEW:
            return self._json(200, {"token": GOOD_TOKEN, "expiresIn": 43200})
        if self.server.door:
            status, message = self.server.door.pop(0)
            return self._json(status, {"code": status, "message": message})
        basic = base64.b64encode(":".join(GOOD_KEY).encode()).decode()
        if self.headers.get("Authorization") not in (f"Bearer {GOOD_TOKEN}", f"Basic {basic}"):
            return self._json(401, {"code": 401, "message": "Unauthenticated"})
        self.send_response(302)
        self.send_header("Location", self.server.address())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        with contextlib.suppress(ConnectionError):
            ours = self.headers.get("Accept-Encoding") == "identity"  # else Kaggle's client follows its door
            if ours:
                self.server.ranges.append(self.headers.get("Range", ""))
            self._file(self.server.store.pop(0) if ours and self.server.store else "well")

    def _file(self, way: int | str | tuple[int, str]) -> None:
        if isinstance(way, tuple):
            status, wait = way
            self.send_response(status)
            self.send_header("Retry-After", wait)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if way == "silent":
            self.server.stop.wait(20)
            return
        whole = self.server.archive
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if way == "whole" or self.headers.get("If-Range", self.server.etag) != self.server.etag:
            start = 0
        if start > len(whole):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            first = start + (way == "bad range")
            self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
        self.send_header("ETag", self.server.etag)
        body = whole[start:]
        if way == "longer":  # Content-Range says less than Content-Length
            body += b"more"
        if way != "unsized":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:way] if isinstance(way, int) else body)
        self.close_connection = True

    def _json(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(archive: bytes) -> Iterator[FakeKaggle]:
    """A FakeKaggle that answers while the block runs."""
    server = FakeKaggle(archive)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
