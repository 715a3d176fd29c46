"""A real HTTP server on the loopback address, whose faults are chosen per path."""

import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

__all__ = ["Answer", "Server", "closed_port", "serving"]


class Answer(NamedTuple):
    """
    An answer of the server.

    # Parameters

    content : `bytes`, optional (default = `b""`)
        Content of the file.
    status : `int`, optional (default = `200`)
        Status.
    location : `Optional[str]`, optional (default = `None`)
        Path or URL of a redirect.
    cuts : `int`, optional (default = `0`)
        Number of connections that are cut in the middle of what is sent.
    has_ranges : `bool`, optional (default = `True`)
        If `True`, the server sends a part that is asked for.
    """

    content: bytes = b""
    status: int = 200
    location: Optional[str] = None
    cuts: int = 0
    has_ranges: bool = True


class Server:
    """
    A server that is at work.

    # Parameters

    url : `str`
        Its address, without a slash at the end.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: Dict[str, Answer] = {}
        self.requests: List[str] = []
        """Method, path and range of each request."""
        self.num_cut: Dict[str, int] = {}


def _handler(server: Server) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(is_head=True)

        def do_GET(self) -> None:
            self._answer(is_head=False)

        def _answer(self, is_head: bool) -> None:
            asked = self.headers.get("Range")
            server.requests.append(" ".join(filter(None, [self.command, self.path, asked])))
            answer = server.answers.get(self.path, Answer(status=404))
            content, status = answer.content, answer.status
            found = re.match(r"bytes=(\d+)-", asked or "")
            if found and answer.has_ranges:
                content, status = content[int(found.group(1)) :], 206
            self.send_response(status)
            if answer.location:
                self.send_header("Location", answer.location)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hash(answer.content)}"')
            self.end_headers()
            if is_head:
                return
            is_cut = server.num_cut.get(self.path, 0) < answer.cuts
            if is_cut:
                server.num_cut[self.path] = server.num_cut.get(self.path, 0) + 1
                content = content[: len(content) // 2]
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Server]:
    """
    Runs a server.

    # Returns

    `Iterator[Server]`
        The server. What it answers may be changed at any time.
    """
    server = Server("")
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def closed_port() -> str:
    """
    Returns an address on which nothing listens.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
