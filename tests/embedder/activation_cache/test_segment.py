"""One file of layers: what is written comes back, and damage is noticed."""

import os
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import h5py
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.embedder.activation_cache.segment import (
    DamagedSegment,
    Segment,
    encode_segment,
)
from tests.embedder.activation_cache.crafted import craft, damage_structure
from tests.embedder.activation_cache.version_1 import write_version_1
from tests.support.crc import CRC32, crc_by_bits
from tests.support.paths import REPOSITORY

Layers = Dict[bytes, numpy.ndarray]

DAMAGE_ONE_BYTE = """
import sys, types
package = types.ModuleType("allennlp_elmo_plugin")
package.__path__ = ["allennlp_elmo_plugin"]
sys.modules["allennlp_elmo_plugin"] = package
from tests.embedder.activation_cache.test_segment import damage_one_by_one
damage_one_by_one(*sys.argv[1:])
"""


def _random_layers(lengths: List[int], dtype: str = "float32", seed: int = 0) -> Layers:
    """Returns layers of random bytes: numbers of every kind, NaN among them."""
    random = numpy.random.RandomState(seed)
    size = numpy.dtype(dtype).itemsize
    return {
        random.bytes(16): numpy.frombuffer(random.bytes(length * 12 * size), dtype).reshape(
            length, 12
        )
        for length in lengths
    }


def _write(path: Path, layers: Layers) -> Path:
    path.write_bytes(encode_segment(layers, 2.5))
    return path


def _read(segment: Segment, sentence: int) -> numpy.ndarray:
    return segment.read([sentence])[0]


def _assert_same(found: numpy.ndarray, expected: numpy.ndarray) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    lengths=st.lists(st.integers(2, 9), min_size=1, max_size=6),
    dtype=st.sampled_from(["float32", "float16"]),
    seed=st.integers(0, 1000),
)
def test_a_written_file_reads_back(lengths: List[int], dtype: str, seed: int) -> None:
    """Digests, shapes, types and numbers are the same to the bit, read in any order."""
    layers = _random_layers(lengths, dtype, seed)
    with tempfile.TemporaryDirectory() as folder:
        segment = Segment(_write(Path(folder) / "a.hdf5", layers))
        assert segment.digests == list(layers)
        assert segment.num_tokens == sum(lengths)
        assert segment.seconds == 2.5
        for sentence in [*reversed(range(len(lengths))), *range(len(lengths))]:
            _assert_same(_read(segment, sentence), layers[segment.digests[sentence]])


@pytest.mark.parametrize("size", [1, 16, 20])
def test_digests_may_have_any_size(tmp_path: Path, size: int) -> None:
    """A digest that starts or ends with zeros comes back whole."""
    digests = [bytes(size), b"\x01" + bytes(size - 1), bytes(size - 1) + b"\xff"]
    layers = dict(zip(digests, _random_layers([2, 3, 4]).values()))
    assert Segment(_write(tmp_path / "a.hdf5", layers)).digests == list(layers)


def test_arrays_may_lie_in_memory_as_they_like(tmp_path: Path) -> None:
    """Transposed and strided arrays are written in the order of their indices."""
    numbers = numpy.arange(96, dtype="float32")
    turned = numbers[:48].reshape(12, 4).transpose(1, 0)
    strided = numbers.reshape(8, 12)[::2]
    segment = Segment(_write(tmp_path / "a.hdf5", {b"a": turned, b"b": strided}))
    assert numpy.array_equal(_read(segment, 0), turned)
    assert numpy.array_equal(_read(segment, 1), strided)


def test_arrays_are_read_only(tmp_path: Path) -> None:
    """Nobody can write to the layers that are read."""
    segment = Segment(_write(tmp_path / "a.hdf5", _random_layers([2])))
    with pytest.raises(ValueError, match="read-only"):
        _read(segment, 0)[0] = 0.0


def test_a_file_is_open_only_while_it_is_read(tmp_path: Path) -> None:
    """A file that is deleted is missed at the next reading, and what was read stays."""
    segment = Segment(_write(tmp_path / "a.hdf5", _random_layers([2, 3])))
    found = _read(segment, 0)
    copy = found.copy()
    (tmp_path / "a.hdf5").unlink()
    assert found.tobytes() == copy.tobytes()
    for sentence in (0, 1):
        with pytest.raises(FileNotFoundError):
            _read(segment, sentence)


def test_several_sentences_are_read_at_once(tmp_path: Path) -> None:
    """One call gives any sentences of a file, in any order."""
    layers = _random_layers([2, 4, 3])
    segment = Segment(_write(tmp_path / "a.hdf5", layers))
    sentences = [2, 0, 1, 0]
    for sentence, found in zip(sentences, segment.read(sentences)):
        _assert_same(found, list(layers.values())[sentence])


def test_a_missing_file_is_not_damaged(tmp_path: Path) -> None:
    """A file that is not there is another error than a damaged one."""
    with pytest.raises(FileNotFoundError):
        Segment(tmp_path / "a.hdf5")


def test_the_file_is_as_its_table_says(tmp_path: Path) -> None:
    """h5py reads the datasets and attributes that the module's table names."""
    layers = _random_layers([2, 5, 3], "float16")
    with h5py.File(_write(tmp_path / "a.hdf5", layers), "r") as file:
        assert set(file) == {"digests", "lengths", "checksums", "layers"}
        assert [file[name].dtype.name for name in sorted(file)] == [
            *("uint32", "uint8", "float16", "int64")
        ]
        assert [bytes(digest) for digest in file["digests"][()]] == list(layers)
        assert file["lengths"][()].tolist() == [2, 5, 3]
        assert file["layers"].shape == (10, 12)
        assert file["layers"][2:7].tobytes() == list(layers.values())[1].tobytes()
        assert file.attrs["seconds"] == 2.5
        name = file.attrs["format"]
        name = name.decode() if isinstance(name, bytes) else str(name)
        assert name == "allennlp_elmo_plugin activations 2"


def test_checksums_are_as_the_table_says(tmp_path: Path) -> None:
    """Each sentence's checksum is the CRC-32 of its bytes."""
    layers = _random_layers([2, 5, 3])
    with h5py.File(_write(tmp_path / "a.hdf5", layers), "r") as file:
        assert file["checksums"][()].tolist() == [
            crc_by_bits(a.tobytes(), CRC32) for a in layers.values()
        ]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_changed_byte_is_noticed_for_its_sentence(tmp_path: Path, dtype: str) -> None:
    """A sentence with a changed byte is damaged, and the others stay readable."""
    layers = _random_layers([2, 4, 3], dtype)
    content, arrays = encode_segment(layers, 1.0), list(layers.values())
    start = content.index(arrays[1].tobytes())
    for offset in range(start, start + arrays[1].nbytes, 5):
        damaged = bytearray(content)
        damaged[offset] ^= 1 << offset % 8
        (tmp_path / "a.hdf5").write_bytes(damaged)
        segment = Segment(tmp_path / "a.hdf5")
        for _ in range(2):
            with pytest.raises(DamagedSegment, match="checksum"):
                _read(segment, 1)
        _assert_same(_read(segment, 0), arrays[0])
        _assert_same(_read(segment, 2), arrays[2])


def test_a_cut_file_is_damaged(tmp_path: Path) -> None:
    """A file that was cut anywhere is refused with a reason."""
    content = encode_segment(_random_layers([2, 4, 3]), 1.0)
    path = tmp_path / "a.hdf5"
    for length in [*range(0, len(content), 101), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(DamagedSegment, match="."):
            Segment(path)


def test_a_file_with_something_behind_it_is_damaged(tmp_path: Path) -> None:
    """A file that has become longer is refused with a reason."""
    path = _write(tmp_path / "a.hdf5", _random_layers([2, 4, 3]))
    for more in (b"\0", b"more"):
        path.write_bytes(path.read_bytes() + more)
        with pytest.raises(DamagedSegment, match="."):
            Segment(path)


def test_a_file_that_is_cut_while_it_is_used_is_damaged(tmp_path: Path) -> None:
    """Sentences that were read before are checked again in a file that was cut."""
    path = _write(tmp_path / "a.hdf5", _random_layers([2, 4, 3]))
    segment = Segment(path)
    _read(segment, 1)
    path.write_bytes(path.read_bytes()[:100])
    for sentence in range(3):
        with pytest.raises(DamagedSegment, match="shorter"):
            _read(segment, sentence)


def test_a_lost_block_gives_no_wrong_number(tmp_path: Path) -> None:
    """If a part of the file is zeros, as after a power cut, each digest has its layers or none."""
    layers = _random_layers([2, 4, 30])
    content, path = encode_segment(layers, 1.0), tmp_path / "a.hdf5"
    for start in range(0, len(content), 512):
        block = content[start : start + 512]
        path.write_bytes(content[:start] + bytes(len(block)) + content[start + len(block) :])
        for digest, found in _all_readable(path):
            assert digest not in layers or found.tobytes() == layers[digest].tobytes()


def _all_readable(path: Path) -> List[Tuple[bytes, numpy.ndarray]]:
    found = []
    try:
        segment = Segment(path)
    except DamagedSegment:
        return []
    for sentence, digest in enumerate(segment.digests):
        try:
            found.append((digest, _read(segment, sentence)))
        except DamagedSegment:
            continue
    return found


def damage_one_by_one(folder: str, start: str) -> None:
    """
    Damages the bytes of the file `original` one by one, and prints the outcome of each.

    All bits of a byte are changed, and its lowest bit alone. A trial that takes long ends the
    process.

    # Parameters

    folder : `str`
        Path of the folder with the file.
    start : `str`
        Number of the first trial.
    """
    import signal

    content, path = (Path(folder) / "original").read_bytes(), Path(folder) / "a.hdf5"
    layers = dict(_all_readable(Path(folder) / "original"))
    in_layers = content.index(next(iter(layers.values())).tobytes())
    end_of_layers = in_layers + sum(array.nbytes for array in layers.values())
    offsets = [i for i in range(len(content)) if content[i] and not in_layers <= i < end_of_layers]
    trials = [(offset, mask) for offset in offsets for mask in (0xFF, 1)]
    for number in range(int(start), len(trials)):
        offset, mask = trials[number]
        print(number, offset, mask, end=" ", flush=True)
        damaged = bytearray(content)
        damaged[offset] ^= mask
        path.write_bytes(damaged)
        # In seconds of work, however busy the machine is.
        signal.setitimer(signal.ITIMER_VIRTUAL, 2.0)
        is_wrong = any(
            digest in layers
            and (found.dtype.str, found.shape, found.tobytes())
            != (layers[digest].dtype.str, layers[digest].shape, layers[digest].tobytes())
            for digest, found in _all_readable(path)
        )
        print("wrong" if is_wrong else "right", flush=True)


@pytest.fixture(name="outcomes", scope="module")
def _outcomes(tmp_path_factory: pytest.TempPathFactory) -> Dict[Tuple[int, int], str]:
    """Maps the offset and the mask of each change to "right", "wrong" or the end of a process."""
    if os.name != "posix":
        pytest.skip("needs signals")
    folder = tmp_path_factory.mktemp("damaged")
    _write(folder / "original", _random_layers([2, 4, 3]))
    outcomes: Dict[Tuple[int, int], str] = {}
    start = 0
    for _ in range(30):
        process = subprocess.run(
            [sys.executable, "-c", DAMAGE_ONE_BYTE, str(folder), str(start)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        for line in process.stdout.splitlines():
            number, offset, mask, *outcome = line.split()
            ended = f"ended by signal {-process.returncode}"
            outcomes[int(offset), int(mask)] = outcome[0] if outcome else ended
            start = int(number) + 1
        if process.returncode >= 0:
            break
    assert process.returncode == 0 and len(outcomes) > 500
    return outcomes


def test_no_damage_ends_or_stops_the_process(outcomes: Dict[Tuple[int, int], str]) -> None:
    """A changed byte outside the layers neither crashes the process nor makes it loop."""
    assert {k: v for k, v in outcomes.items() if v.startswith("ended")} == {}


def test_no_damage_gives_wrong_numbers(outcomes: Dict[Tuple[int, int], str]) -> None:
    """With a changed byte outside the layers, each digest has its own layers or none."""
    assert {k: v for k, v in outcomes.items() if v == "wrong"} == {}


def _without(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def _with(name: str, values: Any, dtype: Any = None, **options: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        new = numpy.asarray(values, dtype or file[name].dtype)
        del file[name]
        file.create_dataset(name, data=new, **options)

    return change


def _attribute(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value

    return change


def _external(file: h5py.File) -> None:
    del file["layers"]
    source = [("/dev/zero", 0, 9 * 12 * 4)]
    file.create_dataset("layers", (9, 12), "float32", external=source)


def _virtual(file: h5py.File) -> None:
    del file["layers"]
    layout = h5py.VirtualLayout((9, 12), "float32")
    layout[:] = h5py.VirtualSource("nowhere.hdf5", "layers", (9, 12))
    file.create_virtual_dataset("layers", layout)


def _never_written(file: h5py.File) -> None:
    del file["layers"]
    file.create_dataset("layers", (2**40, 2**20), "float32")


def _group(file: h5py.File) -> None:
    del file["lengths"]
    file.create_group("lengths")


def _link(file: h5py.File) -> None:
    del file["lengths"]
    file["lengths"] = h5py.SoftLink("/lengths")


def _link_to_another_file(file: h5py.File) -> None:
    del file["lengths"]
    file["lengths"] = h5py.ExternalLink("/dev/zero", "/lengths")


NUMBERS = numpy.zeros((9, 12), "float32")

CRAFTED: Dict[str, Callable[[h5py.File], None]] = {
    **{f"no {name}": _without(name) for name in ("digests", "lengths", "checksums", "layers")},
    "a length too little": _with("lengths", [2, 4]),
    "another sum": _with("lengths", [2, 4, 4]),
    "a negative length": _with("lengths", [-2, 8, 3]),
    "a length of 0": _with("lengths", [0, 6, 3]),
    "lengths that overflow": _with("lengths", [2**62, 2**62, 2**62]),
    "lengths of another sum modulo 2**64": _with("lengths", [2**63 - 1, 2**63 - 1, 11]),
    "floats as lengths": _with("lengths", [2.0, 4.0, 3.0], "float64"),
    "short lengths": _with("lengths", [2, 4, 3], "int32"),
    "big-endian lengths": _with("lengths", [2, 4, 3], ">i8"),
    "lengths in a column": _with("lengths", [[2], [4], [3]]),
    "one number as lengths": _with("lengths", 9),
    "no lengths at all": _with("lengths", []),
    "a checksum too little": _with("checksums", [0]),
    "texts as digests": _with("digests", [b"a", b"b", b"c"], "S1"),
    "flat digests": _with("digests", [1, 2, 3]),
    "empty digests": _with("digests", numpy.zeros((3, 0))),
    "a digest too many": _with("digests", numpy.zeros((4, 16))),
    "doubles": _with("layers", NUMBERS, "float64"),
    "integers": _with("layers", NUMBERS, "int32"),
    "complex numbers": _with("layers", NUMBERS, "complex64"),
    "truth values": _with("layers", NUMBERS, "bool"),
    "big-endian layers": _with("layers", NUMBERS, ">f4"),
    "records": _with("layers", numpy.zeros(9, "f4,f4"), "f4,f4"),
    "three dimensions": _with("layers", NUMBERS.reshape(9, 3, 4)),
    "a dimension of 0": _with("layers", numpy.zeros((9, 0))),
    "a scalar": _with("layers", 1.0),
    "another format": _attribute("format", "allennlp_elmo_plugin activations 0"),
    "a number as format": _attribute("format", 2),
    "bytes as format": _attribute("format", numpy.void(b"\xff\xfe")),
    "a list as format": _attribute("format", ["a", "b"]),
    "an empty format": _attribute("format", h5py.Empty("f4")),
    "no format": _attribute("format", None),
    "no seconds": _attribute("seconds", None),
    "seconds that are not a number": _attribute("seconds", float("nan")),
    "infinite seconds": _attribute("seconds", float("inf")),
    "negative seconds": _attribute("seconds", -1.0),
    "a text as seconds": _attribute("seconds", "long"),
    "short seconds": _attribute("seconds", numpy.float32(1.0)),
    "chunks": _with("layers", NUMBERS, chunks=(3, 4)),
    "compression": _with("layers", NUMBERS, compression="gzip"),
    "external storage": _external,
    "a virtual dataset": _virtual,
    "storage that was never written": _never_written,
    "a group": _group,
    "a link to itself": _link,
    "a link to another file": _link_to_another_file,
}


@pytest.mark.parametrize("name", CRAFTED)
def test_another_layout_is_damage(tmp_path: Path, name: str) -> None:
    """An HDF5 file that was made otherwise is refused, though its checksum is right."""
    craft(tmp_path / "a.hdf5", _random_layers([2, 4, 3]), CRAFTED[name])
    with pytest.raises(DamagedSegment, match="."):
        Segment(tmp_path / "a.hdf5")


def test_a_file_that_h5py_has_opened_is_read(tmp_path: Path) -> None:
    """A file to which h5py has changed nothing is as good as before, if its checksum is right."""
    layers = _random_layers([2, 4, 3])
    craft(tmp_path / "a.hdf5", layers, lambda file: None)
    segment = Segment(tmp_path / "a.hdf5")
    for sentence, array in enumerate(layers.values()):
        _assert_same(_read(segment, sentence), array)


@pytest.mark.parametrize("group", range(3))
def test_a_crafted_structure_is_read_or_damage(tmp_path: Path, group: int) -> None:
    """Other numbers around the layers, with the right checksum, stop nothing and take no time."""
    content, path = encode_segment(_random_layers([2, 4, 3]), 1.0), tmp_path / "a.hdf5"
    started = time.process_time()
    num_damaged = 0
    for seed in range(200 * group, 200 * (group + 1)):
        path.write_bytes(damage_structure(content, seed))
        try:
            segment = Segment(path)
        except DamagedSegment:
            num_damaged += 1
            continue
        for sentence in range(len(segment.digests)):
            with suppress(DamagedSegment):
                assert _read(segment, sentence).size == 12 * segment.lengths[sentence]
    assert 50 < num_damaged < 200
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize(
    "start, size",
    [(0, 0), (0, 2**40), (2**40, 0), (2**63, 2**63), (2**64 - 1, 2**64 - 1), (1, 2**64 - 1)],
)
def test_a_crafted_trailer_is_damage(tmp_path: Path, start: int, size: int) -> None:
    """Layers that are said to lie elsewhere are refused before anything is read."""
    content = encode_segment(_random_layers([2, 4, 3]), 1.0)
    trailer = struct.pack("<QQI8s", start, size, crc_by_bits(content[:-28], CRC32), b"elmo_act")
    (tmp_path / "a.hdf5").write_bytes(content[:-28] + trailer)
    with pytest.raises(DamagedSegment, match="."):
        Segment(tmp_path / "a.hdf5")


@pytest.mark.skipif(os.name != "posix", reason="needs files with holes")
def test_a_huge_file_takes_no_memory(tmp_path: Path) -> None:
    """A file of a terabyte that is nearly all holes is refused before it is read."""
    for start in (0, 2**40 - 2**20):
        with open(tmp_path / "a.hdf5", "wb") as file:
            file.truncate(2**40)
            file.seek(0, os.SEEK_END)
            file.write(struct.pack("<QQI8s", start, 2**10, 0, b"elmo_act"))
        with pytest.raises(DamagedSegment, match="bytes beside the layers"):
            Segment(tmp_path / "a.hdf5")


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_what_is_not_a_file_is_damage(tmp_path: Path) -> None:
    """A pipe is not waited for, and a device is not read."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(DamagedSegment, match="not a file"):
            Segment(tmp_path / name)


def test_bytes_are_checked_again_after_the_file_has_changed(tmp_path: Path) -> None:
    """A sentence that was read before is damaged once somebody has changed its bytes."""
    layers = _random_layers([2, 4, 3])
    path = _write(tmp_path / "a.hdf5", layers)
    segment = Segment(path)
    for sentence in range(3):
        _read(segment, sentence)
    content = bytearray(path.read_bytes())
    content[content.index(list(layers.values())[1].tobytes()) + 3] ^= 1
    path.write_bytes(content)
    os.utime(path, (1.0, 1.0))
    with pytest.raises(DamagedSegment, match="checksum of sentence 1"):
        _read(segment, 1)
    _assert_same(_read(segment, 2), list(layers.values())[2])


def test_wrong_lengths_give_no_wrong_number(tmp_path: Path) -> None:
    """Lengths of the right sum that are not those of the sentences give no layers."""
    layers = _random_layers([2, 4, 3])
    craft(tmp_path / "a.hdf5", layers, _with("lengths", [4, 2, 3]))
    ((digest, found),) = _all_readable(tmp_path / "a.hdf5")
    assert found.tobytes() == layers[digest].tobytes() and len(found) == 3


def test_a_sentence_that_bears_the_digest_of_another_is_damage(tmp_path: Path) -> None:
    """No digest gives layers that were written under another one."""
    layers = _random_layers([3, 3])
    path = _write(tmp_path / "a.hdf5", layers)
    with h5py.File(path, "r+") as file:
        file["digests"][...] = file["digests"][()][::-1]
    for digest, found in _all_readable(path):
        assert found.tobytes() == layers[digest].tobytes()


@pytest.mark.parametrize("content", [b"", b"the cat sat\n" * 500, b"\x89HDF\r\n\x1a\n"])
def test_another_kind_of_file_is_damage(tmp_path: Path, content: bytes) -> None:
    """An empty file, a text and the first bytes of HDF5 are refused with a reason."""
    (tmp_path / "a.hdf5").write_bytes(content)
    with pytest.raises(DamagedSegment, match="."):
        Segment(tmp_path / "a.hdf5")


def test_a_weight_file_is_damage(tmp_path: Path) -> None:
    """An HDF5 file of something else is refused with a reason."""
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("char_embed", data=numpy.zeros((3, 4)))
    with pytest.raises(DamagedSegment, match="."):
        Segment(tmp_path / "a.hdf5")


def test_a_file_of_the_first_layout_is_damage(tmp_path: Path) -> None:
    """A file with a dimension for the layers, whose checksums are right, is refused."""
    layers = {key: array.reshape(-1, 3, 4) for key, array in _random_layers([2, 4]).items()}
    write_version_1(tmp_path / "a.hdf5", layers)
    with pytest.raises(DamagedSegment, match="expected format.*activations 2.*activations 1"):
        Segment(tmp_path / "a.hdf5")
