"""One file of layers: what is written comes back, and damage is noticed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, Tuple

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
from tests.embedder.activation_cache.version_1 import write_version_1
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


def _crc32(content: bytes) -> int:
    """Computes a CRC-32 by its definition, bit by bit."""
    remainder = 0xFFFFFFFF
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0xEDB88320 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


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
        assert file["checksums"][()].tolist() == [_crc32(a.tobytes()) for a in layers.values()]


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


def _with(name: str, values: List[int]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        dtype = file[name].dtype
        del file[name]
        file.create_dataset(name, data=values, dtype=dtype)

    return change


def _other_format(file: h5py.File) -> None:
    file.attrs["format"] = "allennlp_elmo_plugin activations 0"


def _no_format(file: h5py.File) -> None:
    del file.attrs["format"]


def _compressed(file: h5py.File) -> None:
    layers = file["layers"][()]
    del file["layers"]
    file.create_dataset("layers", data=layers, compression="gzip")


@pytest.mark.parametrize(
    "change",
    [
        _without("digests"),
        _without("lengths"),
        _without("checksums"),
        _without("layers"),
        _with("lengths", [2, 4]),
        _with("lengths", [2, 4, 4]),
        _with("checksums", [0]),
        _other_format,
        _no_format,
        _compressed,
    ],
)
def test_another_layout_is_damage(tmp_path: Path, change: Callable[[h5py.File], None]) -> None:
    """An HDF5 file whose datasets are missing or do not fit is refused with a reason."""
    path = _write(tmp_path / "a.hdf5", _random_layers([2, 4, 3]))
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DamagedSegment, match="."):
        Segment(path)


@pytest.mark.parametrize("lengths", [[-2, 8, 3], [2, -4, 11], [0, 6, 3], [4, 2, 3]])
def test_wrong_lengths_give_no_wrong_number(tmp_path: Path, lengths: List[int]) -> None:
    """Lengths of the right sum that are not those of the sentences give no layers."""
    layers = _random_layers([2, 4, 3])
    path = _write(tmp_path / "a.hdf5", layers)
    with h5py.File(path, "r+") as file:
        _with("lengths", lengths)(file)
    for digest, found in _all_readable(path):
        assert found.tobytes() == layers[digest].tobytes()


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
