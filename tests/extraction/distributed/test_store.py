"""Folders whose files appear complete or not at all, on a disk and elsewhere."""

import pickle
from pathlib import Path

import pytest

from allennlp_elmo_plugin.extraction.distributed.store import Store, write_to

pytest.importorskip("fsspec")


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Returns a new folder, on the disk or in fsspec's store in memory."""
    location = str(tmp_path / "folder") if request.param == "disk" else f"memory://{tmp_path.name}"
    store = Store(location)
    store.make()
    return store


def test_a_file_is_read_as_it_was_written(store: Store) -> None:
    """A file has its content, and is listed by its name."""
    store.write("below/a.bin", b"one")
    store.write("below/a.bin", b"two")
    store.write_json("settings.json", {"a": [1, "é"]})
    assert store.read("below/a.bin") == b"two"
    assert store.open("below/a.bin").read(1) == b"t"
    assert store.read_json("settings.json") == {"a": [1, "é"]}
    assert store.names("below") == ["a.bin"]
    assert store.names() == ["settings.json"]


def test_what_is_missing_is_nothing(store: Store) -> None:
    """A missing folder has no names, and a missing file in JSON is None."""
    assert store.names("nowhere") == []
    assert store.read_json("nothing.json") is None
    assert not store.exists("nothing.json")
    store.remove("nothing.json")
    with pytest.raises(FileNotFoundError):
        store.read("nothing.json")


def test_a_folder_is_removed_with_its_files(store: Store) -> None:
    """Removing a folder removes everything in it, and nothing else."""
    store.write("a/b", b"1")
    store.write("c", b"2")
    store.remove("a")
    assert not store.exists("a")
    assert store.read("c") == b"2"
    store.remove()
    assert not store.exists("c")


def test_a_published_file_replaces_another(store: Store) -> None:
    """A file comes from a scratch folder, which vanishes."""
    store.write("part", b"old")
    with store.scratch() as scratch:
        (scratch / "new").write_bytes(b"new")
        store.publish(scratch / "new", "part")
    assert store.read("part") == b"new"
    assert not scratch.exists()


def test_it_travels_to_another_process(store: Store) -> None:
    """Its copy finds the same files."""
    store.write("a", b"1")
    copy = pickle.loads(pickle.dumps(store))
    assert copy.read("a") == b"1"
    assert copy.is_local == store.is_local


def test_arrow_finds_the_same_files(store: Store) -> None:
    """The file system of Arrow takes the paths of the store."""
    pytest.importorskip("pyarrow")
    store.write("a", b"1")
    with store.arrow_file_system().open_input_stream(store.path("a")) as file:
        assert file.read() == b"1"


def test_files_are_written_beside_each_other(store: Store) -> None:
    """Files that belong together come to the folder of the first."""

    def write(path: Path) -> list:
        beside = path.with_suffix(".json")
        path.write_bytes(b"1")
        beside.write_bytes(b"2")
        return [path, beside]

    names = write_to(f"{store.location}/a.npz", write)
    assert names == [f"{store.location}/a.npz", f"{store.location}/a.json"]
    assert [store.read(name) for name in ("a.npz", "a.json")] == [b"1", b"2"]
