"""A web server on this machine whose answers a test decides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """What was asked for: the path with its query, and the headers."""

    path: str
    headers: dict[str, str]


@dataclass
class Reply:
    """What is answered."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[Any], None] | None = None
    """Writes to the socket by itself, instead."""


Answering = Callable[[Request], Reply]


@dataclass
class Server:
    """Where it is, and what it was asked."""

    port: int
    asked: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(answer: Answering, context: Any = None) -> Iterator[Server]:
    """A server on a free port; with TLS where it is given a context."""
    server = Server(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            request = Request(self.path, dict(self.headers.items()))
            server.asked.append(request)
            reply = answer(request)
            if reply.raw is not None:
                reply.raw(self.wfile)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in ({"Content-Length": str(len(reply.content))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.content)

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            """Clients that go away are what is tested."""

    with Quiet(("127.0.0.1", 0), Handler) as listening:
        if context is not None:
            listening.socket = context.wrap_socket(listening.socket, server_side=True)
        server.port = listening.server_port
        threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        listening.shutdown()


def ranged(content: bytes, request: Request, **headers: str) -> Reply:
    """A file, or the part of it that is asked for."""
    span = request.headers.get("Range", "").removeprefix("bytes=")
    if not span:
        return Reply(content, headers=headers)
    first, _, last = span.partition("-")
    start, end = int(first), min(len(content), int(last) + 1 if last else len(content))
    where = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
    return Reply(content[start:end], 206, where | headers)
