"""Finding the two files of a biLM."""

import functools
import gzip
import io
import os
import shutil
import tarfile
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Iterator

import h5py
import pytest
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights import (
    archives,
    find_options_file,
    find_weight_file,
    folders,
    locations,
)
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


@pytest.mark.parametrize("location", [None, 3, ["options.json"]])
def test_a_location_is_a_path(location: Any) -> None:
    """Whatever is no path is named with the key that it was given for."""
    with pytest.raises(ConfigurationError, match="Expected 'weight_file' to be a path or a URL"):
        find_weight_file(location)


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


def _tar(folder: Path, mode: str) -> Path:
    path = folder.parent / "elmo.tar"
    with tarfile.open(path, mode) as archive:
        archive.add(folder, "elmo")
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_stands_for_its_two_files(folder: Path, mode: str) -> None:
    """Both files are found in a folder inside a tar, compressed or not."""
    archive = _tar(folder, mode)
    found = find_weight_file(archive)
    assert found.read_bytes() == (folder / "weights.hdf5").read_bytes()
    assert find_options_file(archive).parent == found.parent


@pytest.mark.parametrize("inner", ["elmo/weights.hdf5", "elmo"])
def test_a_file_or_folder_in_an_archive_may_be_named(folder: Path, inner: str) -> None:
    """AllenNLP's exclamation mark separates an archive from what is meant in it."""
    shutil.copy(folder / "weights.hdf5", folder.parent / "other.hdf5")
    archive = folder.parent / "both.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name in ("elmo/weights.hdf5", "other.hdf5"):
            zipped.write(folder.parent / name, name)
    assert find_weight_file(f"{archive}!{inner}").parts[-2:] == ("elmo", "weights.hdf5")
    with pytest.raises(ConfigurationError, match=r"found elmo/weights\.hdf5, other\.hdf5"):
        find_weight_file(archive)
    with pytest.raises(ConfigurationError, match="found none"):
        find_weight_file(f"{archive}!nothing.hdf5")
    with pytest.raises(ConfigurationError, match="neither a zip nor a tar"):
        find_weight_file(f"{folder / 'weights.hdf5'}!weights.hdf5")


def test_a_weight_file_that_begins_with_zeros_is_no_tar(folder: Path) -> None:
    """An HDF5 file with an empty user block is returned as it is."""
    with h5py.File(folder / "weights.hdf5", "w", userblock_size=512):
        pass
    assert find_weight_file(folder / "weights.hdf5") == folder / "weights.hdf5"


def test_an_archive_is_extracted_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call finds the file in the cache; a changed archive is extracted again."""
    archive = _tar(folder, "w:gz")
    first = find_weight_file(archive)
    with monkeypatch.context() as patched:
        patched.setattr(locations, "archive_members", None)
        assert find_weight_file(archive) == first
    (folder / "weights.hdf5").write_bytes(b"other")
    assert find_weight_file(_tar(folder, "w:gz")).read_bytes() == b"other"


def test_only_the_wanted_files_are_extracted(folder: Path) -> None:
    """Other files of an archive take no place on the disk."""
    for name in ("README", "model.ckpt-5.index", "model.ckpt-5.data-00000-of-00001"):
        (folder / name).write_bytes(bytes(1000))
    found = find_weight_file(_tar(folder, "w"))
    assert sorted(path.name for path in found.parent.iterdir()) == ["options.json", "weights.hdf5"]


def test_an_interrupted_extraction_does_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If copying fails, the next call extracts the file anew."""
    archive = _tar(folder, "w")

    def fail(source: Any, target: Any, *_: Any) -> None:
        target.write(source.read(100))
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfileobj", fail)
        with pytest.raises(ConfigurationError, match=r"elmo\.tar.*no space left"):
            find_weight_file(archive)
    assert find_weight_file(archive).read_bytes() == (folder / "weights.hdf5").read_bytes()


def _zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name.replace("_", "."), content)
    return path


def _encrypted(path: Path) -> None:
    content = bytearray(_zip(path, weights_hdf5=b"x").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def _damaged(path: Path) -> None:
    content = bytearray(_zip(path, weights_hdf5=bytes(range(256)) * 20).read_bytes())
    content[60:80] = bytes(20)
    path.write_bytes(content)


def _bomb(path: Path) -> None:
    _zip(path, weights_hdf5=bytes(2 << 20))


def _outside(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("../weights.hdf5")
        archive.addfile(info, io.BytesIO())


def _link(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("weights.hdf5")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)


def _tar_bomb(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("weights.hdf5")
        info.size = 2 << 20
        archive.addfile(info, io.BytesIO(bytes(info.size)))


def _long_name(path: Path) -> None:
    info = tarfile.TarInfo("name")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    path.write_bytes(gzip.compress(info.tobuf() + bytes(1 << 20)))


def _cut_off(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("weights.hdf5")
        info.size = 100_000
        archive.addfile(info, io.BytesIO(os.urandom(info.size)))
    path.write_bytes(path.read_bytes()[:50_000])


def _file_as_folder(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("a.hdf5", b"")
        zipped.writestr("a.hdf5/b.hdf5", b"")


@pytest.mark.parametrize(
    "craft, expected",
    [
        (_encrypted, "is encrypted"),
        (_damaged, "cannot be extracted"),
        (_bomb, "is extracted to 2097152 bytes"),
        (_outside, "found none|would lie outside"),
        (_link, "is a link or device"),
        (_tar_bomb, "extracted to more than 1048576 bytes"),
        (_long_name, "a name or comment of 1073741824 bytes"),
        (_cut_off, "cannot be extracted"),
        (_file_as_folder, r"found a\.hdf5, a\.hdf5/b\.hdf5"),
    ],
)
def test_a_crafted_archive_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    craft: Callable[[Path], None],
    expected: str,
) -> None:
    """The error for an archive that cannot be extracted safely names it, and nothing is left."""
    monkeypatch.setattr(archives, "SMALL_SIZE", 1 << 20)
    path = tmp_path / "crafted.zip"
    craft(path)
    with pytest.raises(ConfigurationError, match=rf"crafted\.zip'(.|\n)*({expected})"):
        find_weight_file(path)
    assert not list((tmp_path / "cache").rglob("*.hdf5"))
    assert not (tmp_path / "weights.hdf5").exists()


def test_hidden_and_linked_folders_are_not_searched(folder: Path) -> None:
    """A link to a folder above it does not make the search endless."""
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / ".git").mkdir()
    shutil.copy(folder / "weights.hdf5", folder / ".git" / "other.hdf5")
    assert find_weight_file(folder) == folder / "weights.hdf5"


def test_a_linked_file_is_found(folder: Path) -> None:
    """The cache of a hub has links to its files."""
    (folder / "weights.hdf5").rename(folder.parent / "blob")
    (folder / "weights.hdf5").symlink_to(folder.parent / "blob")
    assert find_weight_file(folder) == folder / "weights.hdf5"


def test_a_link_to_itself_is_no_file(folder: Path) -> None:
    """Such a link beside the files does no harm."""
    (folder / "loop.hdf5").symlink_to("loop.hdf5")
    assert find_weight_file(folder) == folder / "weights.hdf5"


def test_a_huge_folder_is_not_searched_to_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past a bound on the number of files, the error asks for the file itself."""
    monkeypatch.setattr(folders, "MAX_ENTRIES", 10)
    for i in range(20):
        (folder / str(i)).touch()
    with pytest.raises(ConfigurationError, match="more than 10 files and folders. Name the file"):
        find_weight_file(folder)


def test_a_long_list_of_files_is_cut(folder: Path) -> None:
    """The error names twenty files and counts the others."""
    for i in range(30):
        (folder / f"{i}.hdf5").touch()
    with pytest.raises(ConfigurationError, match=r"found 0\.hdf5, .* and 11 more\."):
        find_weight_file(folder)
