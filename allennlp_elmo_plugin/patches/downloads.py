"""
A patch for downloads by `cached_path`, whose HTTP client has three faults.

With urllib3 1, a body that is cut off counts as complete. A download whose connection is cut starts
from the beginning. And a server that does not answer is waited for without end, or one that refuses
the connection for half a minute.
"""

import logging
from typing import Any, BinaryIO, Dict, Optional

from cached_path.schemes import http

from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_downloads"]

logger = logging.getLogger(__name__)

TIMEOUTS = (10.0, 60.0)
"""Longest time for a connection, and for the next bytes, in seconds."""
CHUNK = 1 << 14
"""In bytes. What has arrived of a chunk is lost when the connection is cut."""
MAX_STALLS = 3
"""Largest number of connections in a row that bring nothing."""

errors = http.requests.exceptions
CUT = (errors.ChunkedEncodingError, errors.ConnectionError, errors.Timeout)


class _Adapter(http.HTTPAdapter):
    """An adapter that waits for a limited time."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUTS
        return super().send(request, *args, **kwargs)


def _patch_session(session_with_backoff: Method) -> Method:
    def patched(*args: Any, **kwargs: Any) -> Any:
        session = session_with_backoff(*args, **kwargs)
        for prefix in ("http://", "https://"):
            retries = session.get_adapter(prefix).max_retries.new(connect=1, read=1)
            session.mount(prefix, _Adapter(max_retries=retries))
        return session

    return patched


class _Download:
    """A download that goes on where its connection was cut."""

    def __init__(self, client: http.HttpClient) -> None:
        self._client = client
        self._headers: Dict[str, str] = getattr(client, "headers", {})
        self._received = 0
        self._total: Optional[int] = None
        self._etag: Optional[str] = None

    def run(self, file: BinaryIO) -> None:
        """Writes the body to a file."""
        num_stalls = 0
        with http.session_with_backoff() as session:
            while num_stalls < MAX_STALLS:
                before = self._received
                try:
                    self._receive(session, file)
                except CUT as error:
                    if self._total is None:
                        raise
                    logger.warning("%s (%s)", self._progress(), error)
                if self._total in (None, self._received):
                    return
                num_stalls = 0 if self._received > before else num_stalls + 1
        raise errors.ConnectionError(self._progress())

    def _receive(self, session: Any, file: BinaryIO) -> None:
        # Ranges and lengths are those of the file only if it is sent as it is.
        headers = {**self._headers, "Accept-Encoding": "identity"}
        if self._received:
            headers["Range"] = f"bytes={self._received}-"
        with session.get(self._client.resource, stream=True, headers=headers) as response:
            self._client.validate_response(response)
            skipped = self._start(response)
            for chunk in response.iter_content(CHUNK):
                rest = chunk[skipped:]
                skipped -= len(chunk) - len(rest)
                file.write(rest)
                self._received += len(rest)

    def _start(self, response: Any) -> int:
        """Returns the number of bytes that are there already and that the server sends again."""
        if not self._received:
            self._etag = response.headers.get("ETag")
            length = response.headers.get("Content-Length")
            is_encoded = response.headers.get("Content-Encoding", "identity") != "identity"
            self._total = None if is_encoded or length is None else int(length)
        elif response.headers.get("ETag") != self._etag:
            raise OSError(f"'{self._client.resource}' changed while it was downloaded.")
        # A server that knows no ranges sends the whole file.
        return 0 if response.status_code == http.requests.codes.partial else self._received

    def _progress(self) -> str:
        return (
            f"The connection was cut after {self._received:,} of {self._total:,} bytes of "
            f"'{self._client.resource}'."
        )


def _patch_get_resource(get_resource: Method) -> Method:
    def patched(self: http.HttpClient, temp_file: BinaryIO) -> None:
        _Download(self).run(temp_file)

    return patched


def patch_downloads() -> None:
    """
    Makes `cached_path` refuse files that are cut off, resume their download, and wait for a minute.

    The partial file is that of the running process. Another process starts from the beginning.
    """
    replace_method(http, "session_with_backoff", _patch_session)
    replace_method(http.HttpClient, "get_resource", _patch_get_resource)
