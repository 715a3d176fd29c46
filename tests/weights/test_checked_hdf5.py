"""Reading HDF5 files that may be damaged or crafted."""

import os
import socket
from pathlib import Path
from typing import Any, Callable

import h5py
import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from h5py import h5d, h5f, h5p, h5s, h5t

from allennlp_elmo_plugin.weights.checked_hdf5 import CheckedHdf5File
from allennlp_elmo_plugin.weights.dataset_file import listed

ARRAY = numpy.arange(600, dtype="float32").reshape(20, 30)
SHAPES = {"x": ARRAY.shape}


def _write(path: Path, write: Callable[[h5py.File], Any], **options: Any) -> Path:
    with h5py.File(path, "w", **options) as file:
        write(file)
    return path


def _read(path: Path) -> numpy.ndarray:
    with CheckedHdf5File(path, "an array") as file:
        problems = file.problems(SHAPES)
        if problems:
            raise ConfigurationError("; ".join(problems))
        return file.read("x")


def _with_layout(layout: int) -> Callable[[h5py.File], None]:
    def write(file: h5py.File) -> None:
        properties = h5p.create(h5p.DATASET_CREATE)
        properties.set_layout(layout)
        space = h5s.create_simple(ARRAY.shape)
        h5d.create(file.id, b"x", h5t.IEEE_F32LE, space, properties)
        file["x"][...] = ARRAY

    return write


SOUND = {
    "contiguous": lambda file: file.create_dataset("x", data=ARRAY),
    "compact": _with_layout(h5d.COMPACT),
    "big-endian": lambda file: file.create_dataset("x", data=ARRAY.astype(">f4")),
    "float16": lambda file: file.create_dataset("x", data=ARRAY.astype("f2")),
    "float64": lambda file: file.create_dataset("x", data=ARRAY.astype("f8")),
    "chunks": lambda file: file.create_dataset("x", data=ARRAY, chunks=(7, 9)),
    "gzip": lambda file: file.create_dataset("x", data=ARRAY, chunks=(7, 9), compression="gzip"),
    "lzf": lambda file: file.create_dataset("x", data=ARRAY, compression="lzf", shuffle=True),
    "all filters": lambda file: file.create_dataset(
        "x", data=ARRAY, chunks=(20, 4), compression=9, shuffle=True, fletcher32=True
    ),
    "big-endian chunks": lambda file: file.create_dataset(
        "x", data=ARRAY.astype(">f8"), compression="gzip", shuffle=True
    ),
    "resizable": lambda file: file.create_dataset("x", data=ARRAY, maxshape=(None, None)),
    "attributes": lambda file: file.create_dataset("x", data=ARRAY).attrs.update(a="text", b=[1]),
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("kind", list(SOUND))
def test_every_sound_storage_is_read(tmp_path: Path, kind: str, libver: str) -> None:
    """The array is the one that h5py reads, whatever layout, filters and byte order it has."""
    path = _write(tmp_path / "x.hdf5", SOUND[kind], libver=libver)
    array = _read(path)
    assert array.dtype.isnative and numpy.array_equal(array, ARRAY)


def test_a_user_block_is_skipped(tmp_path: Path) -> None:
    """Data is found behind a user block, and chunks there are refused."""
    path = _write(tmp_path / "x.hdf5", SOUND["contiguous"], userblock_size=512)
    assert numpy.array_equal(_read(path), ARRAY)
    path = _write(tmp_path / "x.hdf5", SOUND["chunks"], userblock_size=512)
    with pytest.raises(ConfigurationError, match="user block, got chunks"):
        _read(path)


@pytest.mark.parametrize("has_iterator", [True, False])
def test_chunks_are_found_with_every_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_iterator: bool
) -> None:
    """Versions of h5py without an iterator over chunks read the same."""
    path = _write(tmp_path / "x.hdf5", SOUND["gzip"])
    if not has_iterator:
        monkeypatch.setattr(
            "allennlp_elmo_plugin.weights.chunks.hasattr", lambda *_: False, raising=False
        )
    assert numpy.array_equal(_read(path), ARRAY)


def _external(file: h5py.File) -> None:
    file.create_dataset("x", ARRAY.shape, "f4", external=[("/etc/hostname", 0, h5f.UNLIMITED)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(ARRAY.shape, "f4")
    layout[...] = h5py.VirtualSource("missing.hdf5", "x", ARRAY.shape)
    file.create_virtual_dataset("x", layout)


def _external_link(file: h5py.File) -> None:
    file["x"] = h5py.ExternalLink("other.hdf5", "/x")


def _soft_link(file: h5py.File) -> None:
    file["y"] = ARRAY
    file["x"] = h5py.SoftLink("/y")


def _large_chunk(file: h5py.File) -> None:
    file.create_dataset("x", ARRAY.shape, "f4", maxshape=(None, None), chunks=(2000, 3000))
    file["x"][...] = ARRAY


def _half_written(file: h5py.File) -> None:
    file.create_dataset("x", ARRAY.shape, "f4", chunks=(10, 30))[:10] = ARRAY[:10]


REFUSED = {
    "external storage": (_external, "a dataset that reads other files"),
    "a virtual dataset": (_virtual, "a dataset that reads other files"),
    "an external link": (_external_link, "a link to another name or file"),
    "a soft link": (_soft_link, "a link to another name or file"),
    "a group": (lambda file: file.create_group("x"), "missing: x, expected shape (20, 30)"),
    "a data type": (lambda file: file.update(x=numpy.dtype("f4")), "a data type"),
    "complex numbers": (lambda file: file.update(x=ARRAY.astype("c8")), "float16, float32 or"),
    "booleans": (lambda file: file.update(x=ARRAY > 3), "an enumeration (such as booleans)"),
    "integers": (lambda file: file.update(x=ARRAY.astype("i4")), "got integers"),
    "strings": (lambda file: file.update(x="text"), "mis-shaped: x, expected (20, 30), got ()"),
    "nothing": (lambda file: file.update(x=h5py.Empty("f4")), "got an empty dataset"),
    "another rank": (lambda file: file.update(x=ARRAY[None]), "got (1, 20, 30)"),
    "no data": (lambda file: file.create_dataset("x", (20, 30), "f4"), "was never written"),
    "half the data": (_half_written, "some are missing or misplaced"),
    "large chunks": (_large_chunk, "got chunks of shape (2000, 3000)"),
    "an unknown filter": (
        lambda file: file.create_dataset("x", data=ARRAY, scaleoffset=2),
        "expected the filters ['gzip', 'shuffle', 'fletcher32', 'lzf'], got number 6",
    ),
}


@pytest.mark.parametrize("kind", list(REFUSED))
def test_other_storage_is_refused(tmp_path: Path, kind: str) -> None:
    """The error says what was expected and what the file holds."""
    write, expected = REFUSED[kind]
    path = _write(tmp_path / "x.hdf5", write)
    with pytest.raises(ConfigurationError) as error:
        _read(path)
    assert expected in str(error.value)


def test_a_dataset_of_too_many_chunks_is_refused(tmp_path: Path) -> None:
    """A dataset of one-number chunks is refused before they are looked for."""
    path = _write(
        tmp_path / "x.hdf5", lambda file: file.create_dataset("x", (200, 200), "f4", chunks=(1, 1))
    )
    with CheckedHdf5File(path, "an array") as file:
        assert "at most 20000 chunks" in file.problems({"x": (200, 200)})[0]


@pytest.mark.parametrize("compression", ["gzip", "lzf"])
def test_a_bomb_is_not_unpacked(tmp_path: Path, compression: str) -> None:
    """A chunk that unpacks to more than its size is refused at once."""
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        bomb = file.create_dataset(
            "x", data=numpy.zeros((8 << 20,), "u1"), chunks=(8 << 20,), compression=compression
        )
        _, stored = bomb.id.read_direct_chunk((0,))
    with h5py.File(path, "w") as file:
        target = file.create_dataset("x", (20, 30), "f4", chunks=(20, 30), compression=compression)
        target.id.write_direct_chunk((0, 0), stored)
    with pytest.raises(ConfigurationError, match=r"x\.hdf5', dataset 'x'"):
        _read(path)


def test_a_chunk_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    """Damaged numbers are noticed if the file has checksums."""
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", data=ARRAY, chunks=ARRAY.shape, fletcher32=True)
        offset = dataset.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="checksum"):
        _read(path)


@pytest.mark.parametrize("number", [numpy.nan, numpy.inf, -numpy.inf, 1e39])
@pytest.mark.parametrize("chunks", [None, (7, 9)])
def test_a_number_that_is_not_finite_is_refused(tmp_path: Path, number: float, chunks: Any) -> None:
    """The error names the file, the dataset and the first place, also where float32 overflows."""
    array = ARRAY.astype("float64")
    array[3, 5] = array[7, 2] = number
    path = _write(
        tmp_path / "x.hdf5", lambda file: file.create_dataset("x", data=array, chunks=chunks)
    )
    with pytest.raises(ConfigurationError) as error:
        _read(path)
    for part in (str(path), "dataset 'x'", "expected finite numbers", "at [3, 5]"):
        assert part in str(error.value)


def test_the_place_is_right_in_a_large_dataset(tmp_path: Path) -> None:
    """A number beyond the first block is found at its own index."""
    array = numpy.zeros((600, 1000), "float32")
    array[555, 777] = numpy.nan
    path = _write(tmp_path / "x.hdf5", lambda file: file.create_dataset("x", data=array))
    expected = pytest.raises(ConfigurationError, match=r"at \[555, 777\]")
    with CheckedHdf5File(path, "an array") as file, expected:
        file.read("x")


def test_damage_never_gives_another_error(tmp_path: Path) -> None:
    """Whatever bytes of a file change, the array is read or a ConfigurationError names the file."""
    random = numpy.random.RandomState(0)
    path = tmp_path / "x.hdf5"
    for kind in ("contiguous", "all filters", "compact"):
        sound = _write(path, SOUND[kind]).read_bytes()
        for _ in range(150):
            content = bytearray(sound)
            start, length = random.randint(len(content)), random.choice([1, 1, 2, 8, 64])
            for i in range(start, min(start + length, len(content))):
                content[i] = random.choice([0, 255, random.randint(256)])
            path.write_bytes(content if random.rand() < 0.9 else content[:start])
            try:
                assert _read(path).shape == ARRAY.shape
            except ConfigurationError as error:
                assert str(path) in str(error) or " x, " in str(error)


def test_hard_links_may_form_a_cycle(tmp_path: Path) -> None:
    """Each group is visited once."""

    def write(file: h5py.File) -> None:
        file["x"] = ARRAY
        file["group/itself"] = file.create_group("group")

    assert numpy.array_equal(_read(_write(tmp_path / "x.hdf5", write)), ARRAY)


@pytest.mark.parametrize(
    "write, expected",
    [
        (lambda file: [file.create_group(str(i)) for i in range(10_001)], "more than 10000"),
        (lambda file: file.create_group("a/" * 40), "deeper than 32"),
    ],
)
def test_a_file_of_countless_groups_is_refused(
    tmp_path: Path, write: Callable[[h5py.File], Any], expected: str
) -> None:
    """A file with thousands of groups, or with deeply nested ones, is no weight file."""
    path = _write(tmp_path / "x.hdf5", write)
    with pytest.raises(ConfigurationError, match=expected):
        CheckedHdf5File(path, "an array")


@pytest.mark.parametrize("kind", ["a folder", "a named pipe", "a socket", "a device"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    """Anything else is refused before it can block."""
    path = tmp_path / "x"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        path = Path("/dev/zero")
    with pytest.raises(ConfigurationError, match=f"is {kind}. Name the file itself"):
        CheckedHdf5File(path, "an array")


@pytest.mark.parametrize("error", [RuntimeError, KeyError, TypeError, OverflowError, MemoryError])
def test_every_error_of_h5py_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type
) -> None:
    """Whatever h5py raises becomes a ConfigurationError with the file's name."""
    path = _write(tmp_path / "x.hdf5", SOUND["contiguous"])

    def fail(*_: Any, **__: Any) -> None:
        raise error("inside")

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(ConfigurationError, match=r"x\.hdf5' cannot be read \(.*inside"):
        CheckedHdf5File(path, "an array")


def test_a_long_list_of_problems_is_cut() -> None:
    """The error lists twenty problems and counts the others."""
    lines = listed([str(i) * 600 for i in range(25)]).splitlines()
    assert len(lines) == 21 and lines[-1] == "  and 5 more"
    assert max(map(len, lines)) < 520
