"""A server of files on this machine that fails in the ways of servers, and counts what it sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["FileServer", "serving"]


@dataclass
class FileServer:
    """What is served, how, and what was.

    Attributes:
        files: contents by path without the leading slash.
        ranges: whether parts are served.
        tag: what the server calls the version of its files; empty for nothing.
        cut: bytes after which the next answers break off, as often as the list is long.
        hold: whether an answer that is cut stays open instead, until :attr:`going_on` is set.
        heads: further headers of an answer, or other values of usual ones; ``None`` drops one.
        redirects: places by path.
        status: of every answer, if not the right one.
        sent: bytes of contents that were sent, in all.
        asked: the ``Range`` of each request, ``None`` for a whole file.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    tag: str = '"1"'
    cut: list[int] = field(default_factory=list)
    hold: bool = False
    heads: dict[str, str | None] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    sent: int = 0
    asked: list[str | None] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    going_on: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def serving() -> Iterator[FileServer]:
    """Serve on a free port of the loopback address."""
    state = FileServer()

    class Handler(_Handler):
        server_state = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.going_on.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_state: FileServer

    def do_GET(self) -> None:
        state, path = self.server_state, self.path.lstrip("/").partition("?")[0]
        asked = self.headers["Range"]
        with state.lock:
            state.asked.append(asked)
            cut = state.cut.pop(0) if state.cut and path in state.files else None
        if path in state.redirects:
            self._head(302, {"Location": state.redirects[path], "Content-Length": "0"})
        elif state.status is not None or path not in state.files:
            self._head(state.status or 404, {"Content-Length": "0"})
        else:
            self._send(state.files[path], asked, cut)

    def _send(self, content: bytes, asked: str | None, cut: int | None) -> None:
        state, status, first = self.server_state, 200, 0
        heads: dict[str, str | None] = {"Content-Type": "application/octet-stream"}
        if state.tag:
            heads["ETag"] = state.tag
        if asked and state.ranges and self.headers["If-Range"] in (None, state.tag):
            first, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            heads["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            if first >= len(content):
                self._head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
                return
        heads["Content-Length"] = str(len(content) - first)
        self._head(status, heads | state.heads)
        part = content[first:] if cut is None else content[first:][:cut]
        with state.lock:
            state.sent += len(part)
        self.wfile.write(part)
        self.wfile.flush()
        if cut is not None and state.hold:
            state.held.set()
            state.going_on.wait(30)
        self.close_connection = True

    def _head(self, status: int, heads: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in heads.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass
