"""Finding the two files of a biLM."""

import functools
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights import find_options_file, find_weight_file, locations
from tests.support.elmo_files import write_elmo_files


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))
    write_elmo_files(tmp_path / "elmo")
    return tmp_path / "elmo"


@pytest.fixture(name="url")
def _url(folder: Path) -> Iterator[str]:
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_path_is_itself(folder: Path) -> None:
    """The path of a file is returned as it is."""
    assert find_options_file(folder / "options.json") == folder / "options.json"


def test_a_folder_stands_for_its_two_files(folder: Path) -> None:
    """Both files are found by the path of their folder."""
    assert find_options_file(folder) == folder / "options.json"
    assert find_weight_file(str(folder)) == folder / "weights.hdf5"


def test_a_zip_stands_for_its_two_files(folder: Path) -> None:
    """Both files are found in a folder inside a zip."""
    archive = shutil.make_archive(str(folder.parent / "elmo"), "zip", folder.parent, "elmo")
    found = find_weight_file(archive)
    assert found.read_bytes() == (folder / "weights.hdf5").read_bytes()
    assert find_options_file(archive).parent == found.parent


def test_a_url_is_downloaded(url: str, folder: Path) -> None:
    """A file on a server becomes a local file in AllenNLP's cache."""
    found = find_options_file(f"{url}/options.json")
    assert found.read_bytes() == (folder / "options.json").read_bytes()


@pytest.mark.parametrize("name", ["nothing.json", "no/such/folder"])
def test_a_missing_file_is_named_with_its_key(name: str) -> None:
    """The error for a missing file names the key of the config."""
    with pytest.raises(ConfigurationError, match=f"'options_file' names '{name}'"):
        find_options_file(name)


def test_a_missing_url_is_named_with_its_key(url: str) -> None:
    """The error for a failed download names the key of the config and the URL."""
    with pytest.raises(ConfigurationError, match=r"'weight_file' names 'http.*nothing\.hdf5'"):
        find_weight_file(f"{url}/nothing.hdf5")


def test_a_folder_with_several_weight_files_is_an_error(folder: Path) -> None:
    """The error lists the files that were found."""
    shutil.copy(folder / "weights.hdf5", folder / "other.hdf5")
    with pytest.raises(ConfigurationError, match=r"found other\.hdf5, weights\.hdf5"):
        find_weight_file(folder)


def test_a_folder_without_an_options_file_is_an_error(tmp_path: Path) -> None:
    """The error says that none was found."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="found none"):
        find_options_file(tmp_path / "empty")


def test_a_softmax_beside_the_weights_is_ignored(folder: Path) -> None:
    """The folder of an exported language model stands for its weight file."""
    shutil.copy(folder / "weights.hdf5", folder / "elmo_softmax_weights.hdf5")
    assert find_weight_file(folder) == folder / "weights.hdf5"


@pytest.mark.parametrize("leftover", [".weights.hdf5.1a2b/weights.hdf5", "__MACOSX/._weights.hdf5"])
def test_leftovers_beside_the_weights_are_ignored(folder: Path, leftover: str) -> None:
    """Files of an interrupted write, and those that macOS adds to a zip, are no weight files."""
    (folder / leftover).parent.mkdir()
    shutil.copy(folder / "weights.hdf5", folder / leftover)
    assert find_weight_file(folder) == folder / "weights.hdf5"


def test_hidden_folders_are_not_entered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that removes its temporary folder in the meantime does no harm."""
    (folder / ".x").mkdir()
    shutil.copy(folder / "weights.hdf5", folder / ".x")
    scandir = os.scandir

    def careful_scandir(path: str) -> Any:
        assert ".x" not in str(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", careful_scandir)
    assert find_weight_file(folder) == folder / "weights.hdf5"


def test_a_hidden_folder_may_be_named(folder: Path) -> None:
    """Only the files below the named folder are filtered, not the folder itself."""
    hidden = folder.rename(folder.parent / ".elmo")
    assert find_weight_file(hidden) == hidden / "weights.hdf5"


def test_a_bilm_of_the_plugin_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name works in any working directory."""
    monkeypatch.chdir("/")
    assert find_options_file("pretrained:small").parts[-3:] == (
        "pretrained",
        "small",
        "options.json",
    )
    assert find_weight_file("pretrained:small").name == "weights.hdf5"


def test_the_log_says_what_the_small_bilm_knows(caplog: pytest.LogCaptureFixture) -> None:
    """The log says once that `pretrained:small` knows English alone."""
    locations._log_limits.cache_clear()
    with caplog.at_level("INFO"):
        find_options_file("pretrained:small")
        find_weight_file("pretrained:small")
    assert caplog.text.count("small biLM of English") == 1


def test_an_unknown_name_is_an_error() -> None:
    """The error lists the biLMs that come with the plugin."""
    with pytest.raises(ConfigurationError, match=r"pretrained:large.*pretrained:small"):
        find_weight_file("pretrained:large")
