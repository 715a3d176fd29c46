"""Fetching the files of published biLMs from a server on this machine."""

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.weights import find_options_file, find_weight_file
from allennlp_elmo_plugin.weights.published import catalogue, download
from allennlp_elmo_plugin.weights.published.catalogue import PublishedModel
from tests.support.elmo_files import ElmoFiles, write_elmo_files
from tests.support.http_server import Answer, Server, closed_port, serving

NAME = "published:mine"
HTML = b"<!DOCTYPE html><title>Moved</title>"


@pytest.fixture(name="files", autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ElmoFiles:
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))
    return write_elmo_files(tmp_path / "elmo")


@pytest.fixture(name="server")
def _server(files: ElmoFiles) -> Iterator[Server]:
    with serving() as server:
        server.answers = {
            "/options.json": Answer(Path(files.options_file).read_bytes()),
            "/weights.hdf5": Answer(Path(files.weight_file).read_bytes()),
            "/moved.hdf5": Answer(status=302, location="/weights.hdf5"),
            "/page": Answer(HTML),
        }
        yield server


@pytest.fixture(name="publish")
def _publish(monkeypatch: pytest.MonkeyPatch) -> Any:
    def publish(*addresses: Dict[str, str], **facts: Any) -> None:
        model = PublishedModel("mine", "", ("English",), "", addresses, **facts)
        monkeypatch.setattr(catalogue, "published_models", lambda: {"mine": model})

    return publish


def _pair(url: str, weights: str = "weights.hdf5") -> Dict[str, str]:
    return {"options": f"{url}/options.json", "weights": f"{url}/{weights}"}


def _md5(path: str) -> str:
    return hashlib.md5(Path(path).read_bytes()).hexdigest()


def _error(key: str = "weight_file") -> str:
    find = {"weight_file": find_weight_file, "options_file": find_options_file}[key]
    with pytest.raises(ConfigurationError) as caught:
        find(NAME)
    return str(caught.value)


def _cached_files() -> List[Path]:
    cache = Path(file_utils.CACHE_DIRECTORY)
    files = (path for path in cache.glob("*") if path.is_file())
    return [path for path in files if path.suffix not in (".lock", ".json")]


def test_a_name_stands_for_its_two_files(server: Server, publish: Any) -> None:
    """A biLM is loaded by its name, in both places of a config."""
    publish(_pair(server.url))
    assert ElmoBilm.from_files(NAME, NAME).options.projection_dim == 8


def test_a_redirect_is_followed(server: Server, publish: Any, files: ElmoFiles) -> None:
    """An address that points to another one leads to the file."""
    publish(_pair(server.url, "moved.hdf5"))
    assert find_weight_file(NAME).read_bytes() == Path(files.weight_file).read_bytes()


def test_the_next_address_is_tried(server: Server, publish: Any, files: ElmoFiles) -> None:
    """A closed port, a missing file and a page in place of the file lead to the next address."""
    publish(
        _pair(closed_port()), _pair(server.url, "no"), _pair(server.url, "page"), _pair(server.url)
    )
    assert find_weight_file(NAME).read_bytes() == Path(files.weight_file).read_bytes()


def test_one_error_lists_all_addresses(server: Server, publish: Any) -> None:
    """Each address has its reason, and the error says what to do."""
    closed = closed_port()
    places = (_pair(closed), _pair(server.url, "no"), _pair(server.url, "page"))
    publish(*places, {"archive": f"{server.url}/page"}, by_hand="A copy is in the attic.")
    error = _error()
    for place in places:
        assert place["weights"] in error
    assert "refused" in error and "there is no such file (404)" in error
    assert "it holds no weights: it begins with b'<!DOCTYPE" in error
    assert f"{server.url}/page\n    it holds no archive" in error
    assert "A copy is in the attic. Fetch the files by hand" in error
    assert "give their path as 'weight_file'" in error


def test_a_wrong_checksum_is_an_error(server: Server, publish: Any, files: ElmoFiles) -> None:
    """The error names both checksums, and the file does not stay in the cache."""
    publish(_pair(server.url), md5={"weights": "0" * 32})
    assert f"its MD5 is {_md5(files.weight_file)}, expected {'0' * 32}" in _error()
    assert _cached_files() == []


def test_a_checksum_is_computed_once(
    server: Server, publish: Any, files: ElmoFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was checked is not read again, unless it changes."""
    publish(_pair(server.url), md5={"weights": _md5(files.weight_file)})
    found = find_weight_file(NAME)
    with monkeypatch.context() as patched:
        patched.setattr(download, "_md5", None)
        assert find_weight_file(NAME) == found
    content = bytearray(found.read_bytes())
    content[-1] ^= 1
    found.write_bytes(content)
    # It is wrong now, so it is downloaded again.
    assert find_weight_file(NAME).read_bytes() == Path(files.weight_file).read_bytes()
    assert server.requests.count("GET /weights.hdf5") == 2


def test_the_cache_needs_no_network(server: Server, publish: Any) -> None:
    """A copy in the cache is taken without a request, from whatever address it came."""
    publish(_pair(closed_port()), _pair(server.url))
    found = find_weight_file(NAME), find_options_file(NAME)
    server.requests.clear()
    server.answers.clear()
    assert (find_weight_file(NAME), find_options_file(NAME)) == found
    assert server.requests == []


def test_what_allennlp_has_downloaded_is_taken(server: Server, publish: Any) -> None:
    """A file in the cache that was downloaded by its URL has the name as well."""
    found = find_weight_file(f"{server.url}/weights.hdf5")
    publish(_pair(server.url))
    server.answers.clear()
    assert find_weight_file(NAME) == found


def test_a_cut_connection_is_resumed(server: Server, publish: Any, files: ElmoFiles) -> None:
    """A download that breaks off goes on."""
    content = Path(files.weight_file).read_bytes() * 4
    server.answers["/weights.hdf5"] = Answer(content, cuts=1)
    publish(_pair(server.url))
    assert find_weight_file(NAME).read_bytes() == content
    assert any("bytes=" in request for request in server.requests)


def test_a_download_that_never_ends_leads_to_the_next_address(
    server: Server, publish: Any, files: ElmoFiles
) -> None:
    """A file that is always cut off is never taken."""
    content = Path(files.weight_file).read_bytes()
    server.answers["/cut"] = Answer(content, cuts=1000, has_ranges=False)
    publish(_pair(server.url, "cut"))
    assert "The connection was cut after" in _error()
    publish(_pair(server.url, "cut"), _pair(server.url))
    assert find_weight_file(NAME).read_bytes() == content


def test_an_archive_has_both_files(server: Server, publish: Any, files: ElmoFiles) -> None:
    """The files in an archive are found and checked one by one."""
    folder = Path(files.options_file).parent
    archive = shutil.make_archive(str(folder.parent / "x"), "zip", folder.parent, "elmo")
    server.answers["/x.zip"] = Answer(Path(archive).read_bytes())
    sums = {"options": _md5(files.options_file), "weights": _md5(files.weight_file)}
    publish({"archive": f"{server.url}/x.zip"}, md5=sums)
    assert find_weight_file(NAME).read_bytes() == Path(files.weight_file).read_bytes()
    assert find_options_file(NAME).name == "options.json"
    assert server.requests.count("GET /x.zip") == 1
    publish({"archive": f"{server.url}/x.zip"}, md5={**sums, "weights": "0" * 32})
    assert f"expected {'0' * 32}" in _error()


def test_an_archive_without_the_file_is_kept(
    server: Server, publish: Any, files: ElmoFiles
) -> None:
    """An archive with several weight files is named, and not downloaded again."""
    folder = Path(files.options_file).parent
    shutil.copy(files.weight_file, folder / "other.hdf5")
    archive = shutil.make_archive(str(folder.parent / "x"), "zip", folder)
    server.answers["/x.zip"] = Answer(Path(archive).read_bytes())
    publish({"archive": f"{server.url}/x.zip"})
    error = _error()
    (copy,) = _cached_files()
    assert "found other.hdf5, weights.hdf5" in error and f"The copy is '{copy}'" in error
    assert _error() == error
    assert server.requests.count("GET /x.zip") == 1


def test_a_biLM_without_addresses_says_where_it_is(publish: Any) -> None:
    """The error tells where to fetch the files by hand."""
    publish(by_hand="It is on a drive.")
    error = _error("options_file")
    assert "cannot be fetched automatically.\nIt is on a drive. Fetch the files by hand" in error


def test_two_at_once_download_it_once(server: Server, publish: Any) -> None:
    """Callers that ask at the same time wait for one download."""
    publish(_pair(server.url))
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(find_weight_file, [NAME] * 4))) == 1
    assert server.requests.count("GET /weights.hdf5") == 1
