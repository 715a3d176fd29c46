"""biLMs of several files in folders and archives, and on a hub."""

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from cached_path.schemes import hf

from allennlp_elmo_plugin.weights import archives, find_options_file, find_weight_file, locations
from tests.support.elmo_files import write_elmo_files

CHECKPOINT = ("model.ckpt-5.index", "model.ckpt-5.data-00000-of-00001")
HUB = (
    "saved_model.pb",
    "assets/vocab.txt",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
)
MANY_LANGS = ("encoder.pkl", "token_embedder.pkl", "config.json", "char.dic", "word.dic")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def _files(folder: Path) -> List[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["zip", "gztar"])
@pytest.mark.parametrize(
    "names, options, weights",
    [
        (HUB, HUB[2], HUB[2]),
        (MANY_LANGS, "config.json", "encoder.pkl"),
        ((*CHECKPOINT, "options.json", "vocab.txt"), "options.json", CHECKPOINT[0]),
    ],
)
@pytest.mark.parametrize("options_first", [True, False])
def test_all_files_that_belong_together_are_extracted(
    tmp_path: Path, kind: str, names: Any, options: str, weights: str, options_first: bool
) -> None:
    """Whichever is asked for first, both are found in one folder with all that belongs to them."""
    folder = _write(tmp_path / "model", *names, "README", "other/word.vec")
    archive = shutil.make_archive(str(tmp_path / "archive"), kind, folder)
    if options_first:
        find_options_file(archive)
    found = find_weight_file(archive)
    root = found.parents[len(Path(weights).parents) - 1]
    assert found == root / weights and find_options_file(archive) == root / options
    assert _files(root) == sorted(names)
    assert all((root / name).read_text() == name for name in names)


def test_files_are_extracted_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one file cannot be extracted, none of the others is left, and a second call succeeds."""
    folder = _write(tmp_path / "model", *MANY_LANGS)
    archive = shutil.make_archive(str(tmp_path / "archive"), "gztar", folder)
    copy = shutil.copyfileobj

    def fail(source: Any, target: Any, size: int) -> None:
        if target.name.endswith("word.dic"):
            raise OSError("no space left")
        copy(source, target, size)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfileobj", fail)
        with pytest.raises(ConfigurationError, match="no space left"):
            find_weight_file(archive)
    assert [path for path in _files(tmp_path / "cache") if not path.endswith(".lock")] == []
    assert _files(find_weight_file(archive).parent) == sorted(MANY_LANGS)


def test_the_main_file_is_extracted_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed leaves no main file without the files that belong to it."""
    folder = _write(tmp_path / "model", *MANY_LANGS)
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", folder)
    written: List[str] = []
    write = archives.write_atomically

    class Recorded:
        def __init__(self, path: Path) -> None:
            self.path, self.context = path, write(path)

        def __enter__(self) -> Path:
            return self.context.__enter__()

        def __exit__(self, *error: Any) -> None:
            self.context.__exit__(*error)
            written.append(self.path.name)

    monkeypatch.setattr(archives, "write_atomically", Recorded)
    find_weight_file(archive)
    assert written[-1] == "encoder.pkl" and sorted(written) == sorted(MANY_LANGS)


def test_hdf5_is_preferred(tmp_path: Path) -> None:
    """A folder with weights in several formats stands for those in HDF5."""
    folder = _write(tmp_path / "model", "weights_file", "options_file", *CHECKPOINT, *MANY_LANGS)
    assert find_weight_file(folder) == folder / "weights_file"
    assert find_options_file(folder) == folder / "options_file"


def test_a_checkpoint_is_named_by_its_prefix(tmp_path: Path) -> None:
    """The prefix that TensorFlow prints stands for the files of the checkpoint."""
    folder = _write(tmp_path / "model", *CHECKPOINT, "model.ckpt-6.index")
    prefix = folder / "model.ckpt-5"
    assert find_weight_file(prefix) == folder / CHECKPOINT[0]
    assert find_options_file(str(prefix)) == folder / CHECKPOINT[0]
    _write(folder, "options.json")
    assert find_options_file(prefix) == folder / "options.json"
    with pytest.raises(ConfigurationError, match=r"lacks 'model\.ckpt-6\.data-\*' beside it"):
        find_weight_file(folder / "model.ckpt-6")


def test_a_checkpoint_in_an_archive_is_named_by_its_prefix(tmp_path: Path) -> None:
    """The prefix behind an exclamation mark chooses one of several checkpoints."""
    other = [name.replace("5", "6") for name in CHECKPOINT]
    folder = _write(tmp_path / "model", *(f"run/{name}" for name in (*CHECKPOINT, *other)))
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", folder)
    found = find_weight_file(f"{archive}!run/model.ckpt-6")
    assert _files(found.parent) == sorted(other)
    with pytest.raises(
        ConfigurationError,
        match=r"found run/model\.ckpt-5\.index, run/model\.ckpt-6\.index.*'ARCHIVE!FILE'",
    ):
        find_weight_file(archive)


def test_the_latest_checkpoint_of_an_archive_is_read_in_it(tmp_path: Path) -> None:
    """TensorFlow's text in an archive chooses one of its checkpoints."""
    other = [name.replace("5", "6") for name in CHECKPOINT]
    folder = _write(tmp_path / "model", *CHECKPOINT, *other)
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/author/model.ckpt-6"\n')
    archive = shutil.make_archive(str(tmp_path / "archive"), "gztar", folder)
    assert find_weight_file(archive).name == other[0]
    assert find_weight_file(folder) == folder / other[0]


def test_an_incomplete_model_is_described(tmp_path: Path) -> None:
    """The error says which file is missing."""
    folder = _write(tmp_path / "model", "encoder.pkl", "word.dic")
    with pytest.raises(ConfigurationError, match=r"found none.*lacks 'token_embedder\.pkl'"):
        find_weight_file(folder)


def test_a_zip_of_nlpl_is_found(tmp_path: Path) -> None:
    """The files of NLPL's repository beside options and weights do no harm."""
    files = write_elmo_files(tmp_path / "elmo")
    archive = tmp_path / "195.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(files.options_file, "options.json")
        zipped.write(files.weight_file, "model.hdf5")
        for name in ("meta.json", "vocab.txt", "README", *CHECKPOINT):
            zipped.writestr(name, name)
    assert find_weight_file(archive).name == "model.hdf5"
    assert find_options_file(archive).read_bytes() == Path(files.options_file).read_bytes()


def test_a_repository_of_the_hub_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot of the hub, a folder of links to blobs, stands for its two files."""
    blobs = write_elmo_files(tmp_path / "hub" / "blobs")
    snapshot = tmp_path / "hub" / "snapshots" / "1a2b"
    snapshot.mkdir(parents=True)
    for name, blob in (("options.json", blobs.options_file), ("weights.hdf5", blobs.weight_file)):
        (snapshot / name).symlink_to(Path("../../blobs") / Path(blob).name)
    asked = []

    def no_such_file(**arguments: Any) -> str:
        raise ValueError(f"{arguments['repo_id']} is no repository")

    def download(repo_id: str, **_: Any) -> str:
        asked.append(repo_id)
        return str(snapshot)

    monkeypatch.setattr(hf.hf_hub, "hf_hub_download", no_such_file)
    monkeypatch.setattr(hf.hf_hub, "snapshot_download", download)
    assert find_weight_file("hf://someone/elmo") == snapshot / "weights.hdf5"
    assert find_options_file("hf://someone/elmo").read_bytes()
    assert asked == ["someone/elmo"] * 2


def test_options_that_are_extracted_already_stay(tmp_path: Path) -> None:
    """Finding the weights does not replace the options, which may be open."""
    folder = _write(tmp_path / "model", "options.json", "weights.hdf5")
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", folder)
    before = find_options_file(archive).stat()
    find_weight_file(archive)
    assert find_options_file(archive).stat() == before


def test_processes_that_extract_at_once_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several that find an archive at the same time, one extracts it."""
    folder = _write(tmp_path / "model", *MANY_LANGS)
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", folder)
    extracted, extract = [], locations.extract

    def record(*arguments: Any) -> None:
        extracted.append(arguments)
        extract(*arguments)

    monkeypatch.setattr(locations, "extract", record)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(find_weight_file, [archive] * 8))
    assert len(found) == len(extracted) == 1
