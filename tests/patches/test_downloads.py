"""Downloads over connections that fail."""

import os
import socket
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from cached_path import cached_path
from cached_path.schemes import http

from allennlp_elmo_plugin.patches import downloads
from tests.support.http_server import Answer, Server, closed_port, serving

CONTENT = os.urandom(300_000)


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    with serving() as server:
        yield server


def _fetch(url: str, folder: Path) -> bytes:
    return Path(cached_path(url, cache_dir=folder, quiet=True)).read_bytes()


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    """The second call finds the file in the cache."""
    server.answers["/file"] = Answer(CONTENT)
    assert _fetch(f"{server.url}/file", tmp_path) == CONTENT
    assert _fetch(f"{server.url}/file", tmp_path) == CONTENT
    assert server.requests.count("GET /file") == 1


def test_a_download_goes_on_where_it_was_cut(server: Server, tmp_path: Path) -> None:
    """After each cut, only the rest is asked for."""
    server.answers["/file"] = Answer(CONTENT, cuts=3)
    assert _fetch(f"{server.url}/file", tmp_path) == CONTENT
    ranges = [int(line.split("=")[1][:-1]) for line in server.requests if "bytes=" in line]
    assert len(ranges) == 3 and 0 < ranges[0] < ranges[1] < ranges[2] < len(CONTENT)


def test_a_server_may_send_all_again(server: Server, tmp_path: Path) -> None:
    """Of a server that knows no ranges, what is there already is skipped."""
    server.answers["/file"] = Answer(CONTENT, cuts=1, has_ranges=False)
    assert _fetch(f"{server.url}/file", tmp_path) == CONTENT


@pytest.mark.parametrize("has_ranges", [True, False])
@pytest.mark.parametrize("content", [CONTENT, b"ab"])
def test_a_file_that_is_cut_off_does_not_count(
    server: Server, tmp_path: Path, has_ranges: bool, content: bytes
) -> None:
    """A server that never sends the rest is an error, and nothing stays in the cache."""
    server.answers["/file"] = Answer(content, cuts=1000, has_ranges=has_ranges)
    with pytest.raises(http.requests.exceptions.RequestException, match="was cut after"):
        _fetch(f"{server.url}/file", tmp_path)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_urllib3_need_not_notice(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that is too short is noticed where urllib3 1 takes it for complete."""
    server.answers["/file"] = Answer(CONTENT, cuts=1000)
    send = downloads._Adapter.send

    def unchecked(*arguments: Any, **options: Any) -> Any:
        response = send(*arguments, **options)
        response.raw.enforce_content_length = False
        response.raw.length_remaining = None
        return response

    monkeypatch.setattr(downloads._Adapter, "send", unchecked)
    with pytest.raises(http.requests.exceptions.ConnectionError, match="was cut after"):
        _fetch(f"{server.url}/file", tmp_path)


def test_a_file_that_changes_is_not_mixed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the file on the server is replaced after a cut, the download fails."""
    server.answers["/file"] = Answer(CONTENT, cuts=1)

    def replace(*_: object) -> None:
        server.answers["/file"] = Answer(CONTENT[::-1])

    monkeypatch.setattr(downloads.logger, "warning", replace)
    with pytest.raises(OSError, match="changed while it was downloaded"):
        _fetch(f"{server.url}/file", tmp_path)


def test_a_refused_connection_is_no_long_wait(tmp_path: Path) -> None:
    """An address on which nothing listens is an error at once."""
    start = time.monotonic()
    with pytest.raises(http.requests.exceptions.ConnectionError):
        _fetch(f"{closed_port()}/file", tmp_path)
    assert time.monotonic() - start < 10


def test_a_silent_server_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts the connection and says nothing is an error."""
    monkeypatch.setattr(downloads, "TIMEOUTS", (0.1, 0.1))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(http.requests.exceptions.ConnectionError):
            _fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/file", tmp_path)
