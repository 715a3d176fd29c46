"""Finding text files by path, URL or pattern."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import List

import pytest
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.text_files import find_files


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with text files in it and below it."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt", "c.gz", "deep/er/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("rain\n")
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ("b.txt", ["b.txt"]),
        (Path("b.txt"), ["b.txt"]),
        ("*.txt", ["a.txt", "b.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "d.txt"]),
        (["c.gz", "*.txt"], ["c.gz", "a.txt", "b.txt"]),
    ],
    ids=str,
)
def test_paths_and_patterns_find_files(folder: Path, paths: object, names: List[str]) -> None:
    """Paths keep their order; the files of a pattern are sorted by name."""
    assert [Path(file).name for file in find_files(paths)] == names  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["e.txt", "*.text", "deep*"])
def test_a_pattern_without_files_is_named_in_the_error(folder: Path, path: str) -> None:
    """One that finds files beside it does not help, and folders are no files."""
    with pytest.raises(ConfigurationError) as raised:
        find_files(["a.txt", path])
    assert f"'{path}'" in str(raised.value) and f"'{folder}'" in str(raised.value)


@pytest.mark.parametrize("pattern", ["*.txt", "**/*.txt", "*/*/*.txt", "**/*/*.txt"])
def test_hidden_files_are_not_found(folder: Path, pattern: str) -> None:
    """A pattern finds nothing that an interrupted write left behind."""
    before = find_files(pattern)
    for hidden in (".hidden.txt", ".x/f.txt", ".x/new/g.txt", "deep/.y/h.txt", "deep/er/.i.txt"):
        (folder / hidden).parent.mkdir(parents=True, exist_ok=True)
        (folder / hidden).write_text("half a")
    assert find_files(pattern) == before


def test_a_failed_download_is_named() -> None:
    """The error names the URL."""
    with pytest.raises(ConfigurationError, match="'nothing://a', but it could not be downloaded"):
        find_files("nothing://a")


def test_a_url_is_downloaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file on a server becomes a local file in AllenNLP's cache."""
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(folder / "cache"))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (found,) = find_files(f"http://127.0.0.1:{server.server_port}/a.txt")
        server.shutdown()
        thread.join()
    assert Path(found).read_text() == "rain\n" and Path(found).parent == folder / "cache"
