"""Gathering the tables of shards."""

import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Sequence
from zlib import crc32

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, ZeroState
from allennlp_elmo_plugin.extraction.distributed import gathering
from allennlp_elmo_plugin.extraction.distributed.gathering import gather_targets, gather_types
from allennlp_elmo_plugin.extraction.distributed.shard_targets import OccurrencesTask
from allennlp_elmo_plugin.extraction.distributed.shard_types import WordSumsTask
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.word_counts import WordCounts
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask
from tests.extraction.distributed.shards import (
    CUTS,
    make_sentences,
    open_file,
    run_job,
    run_shards,
)
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.kernels import CAPABILITIES

pytest.importorskip("pyarrow")

SENTENCES = make_sentences()
WORDS = ["rain", "nowhere", "w9", "rain", "\u96e8"]


@pytest.fixture(scope="module", name="encoder")
def _encoder(tmp_path_factory: pytest.TempPathFactory) -> BilmEncoder:
    # Of these sizes, the kernels give a sentence the same vectors in any batch.
    options = elmo_options(cell_size=32, projection_dim=16)
    files = write_elmo_files(tmp_path_factory.mktemp("elmo"), options)
    return BilmEncoder.from_files(*files, initial_state=ZeroState())


def _entries(path: Path) -> Dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("cuts", CUTS, ids=["one shard", "empty ones", "many"])
@pytest.mark.parametrize("layers, dtype", [("top", "float32"), ("all", "float16")])
def test_targets_are_those_of_one_process(
    tmp_path: Path, encoder: BilmEncoder, layers: str, dtype: str, cuts: List[int]
) -> None:
    """To the bit, wherever the text is cut."""
    extractor = ElmoExtractor(encoder, layers, max_tokens=12)
    expected = run_job(SENTENCES, 0, extractor, TargetsTask(WORDS, tmp_path / "one.npz", dtype))
    paths = run_shards(
        SENTENCES, cuts, extractor, lambda path: OccurrencesTask(WORDS, path, dtype), tmp_path
    )
    found = tmp_path / "gathered.npz"
    row_shape = (extractor.dim,) if layers == "top" else (extractor.num_layers, extractor.dim)
    gather_targets(paths, open_file, WORDS, row_shape, dtype, found)

    assert found.with_suffix(".json").read_bytes() == expected.with_suffix(".json").read_bytes()
    if CAPABILITIES:
        assert _entries(found) == _entries(expected)
    else:
        # Without kernels, the character CNN's last digits depend on what is in the word cache.
        for one, other in zip(numpy.load(found).values(), numpy.load(expected).values()):
            assert one.dtype == other.dtype and numpy.allclose(one, other, atol=1e-3)


class _DrawnVectors(ElmoExtractor):
    """Draws the vectors of a sentence: numbers of many magnitudes, whose sums are rounded."""

    def run_window(self, window: Sequence[Sequence[str]]) -> List[numpy.ndarray]:
        """Draws them by the tokens."""
        arrays = []
        for tokens in window:
            generator = numpy.random.default_rng(crc32(" ".join(tokens).encode()))
            shape = (len(tokens), self.dim)
            numbers = generator.standard_normal(shape) * 10.0 ** generator.uniform(-9, 0, shape)
            arrays.append(numbers.astype("float32"))
        return arrays


def _read_binary(path: Path, dim: int) -> Dict[str, numpy.ndarray]:
    """Reads word2vec's binary format."""
    with open(path, "rb") as file:
        num_words = int(file.readline().split()[0])
        vectors = {}
        for _ in range(num_words):
            word = b"".join(iter(lambda: file.read(1), b" ")).decode()
            vectors[word] = numpy.frombuffer(file.read(4 * dim + 1)[:-1], "<f4")
        assert not file.read()
    return vectors


@pytest.mark.parametrize("cuts", CUTS, ids=["one shard", "empty ones", "many"])
def test_types_are_those_of_one_process(
    tmp_path: Path, encoder: BilmEncoder, cuts: List[int]
) -> None:
    """Each number is the same float32, or a neighbour of it: the sums have another order."""
    extractor = _DrawnVectors(encoder, "top", max_tokens=12)
    expected = run_job(SENTENCES, 0, extractor, WordTypesTask(9, tmp_path / "one.bin"))
    words = WordCounts(token for tokens in SENTENCES for token in tokens).most_frequent(9)
    paths = run_shards(
        SENTENCES, cuts, extractor, lambda path: WordSumsTask(_numbers(words), path), tmp_path
    )
    found = tmp_path / "gathered.bin"
    gather_types(paths, open_file, words, extractor.dim, found)

    one, other = _read_binary(found, extractor.dim), _read_binary(expected, extractor.dim)
    assert list(one) == list(other) == words
    for word in words:
        distance = abs(one[word].astype("float64") - other[word])
        step = numpy.spacing(numpy.maximum(abs(one[word]), abs(other[word])))
        assert (distance <= step).all() and distance.max() <= 2.0**-24


def test_types_may_be_text(tmp_path: Path, encoder: BilmEncoder) -> None:
    """The ending chooses the format, and a word that occurs nowhere has zeros."""
    extractor = _DrawnVectors(encoder, "top")
    words = ["rain", "nowhere"]
    paths = run_shards(
        SENTENCES, [9], extractor, lambda path: WordSumsTask(_numbers(words), path), tmp_path
    )
    for ending in (".vec", ".bin"):
        gather_types(paths, open_file, words, extractor.dim, tmp_path / f"types{ending}")
    lines = (tmp_path / "types.vec").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"2 {extractor.dim}"
    rows = {line.split()[0]: numpy.array(line.split()[1:], "float32") for line in lines[1:]}
    for word, vector in _read_binary(tmp_path / "types.bin", extractor.dim).items():
        assert (rows[word] == vector).all()
    assert not rows["nowhere"].any() and rows["rain"].any()


def test_tables_may_be_remote(tmp_path: Path, encoder: BilmEncoder) -> None:
    """Any function that opens a file for reading will do, such as that of a remote file system."""
    remote = pytest.importorskip("fsspec").filesystem("memory")
    extractor = _DrawnVectors(encoder, "top")
    paths = run_shards(
        SENTENCES, [9], extractor, lambda path: WordSumsTask({"the": 0}, path), tmp_path
    )
    for name, path in zip("ab", paths):
        remote.pipe_file(f"/parts/{name}", Path(path).read_bytes())
    for output, names, opens in (
        ("local.bin", paths, open_file),
        ("remote.bin", ["/parts/a", "/parts/b"], remote.open),
    ):
        gather_types(names, opens, ["the"], extractor.dim, tmp_path / output)
    remote.rm("/parts", recursive=True)
    assert (tmp_path / "local.bin").read_bytes() == (tmp_path / "remote.bin").read_bytes()


@pytest.mark.parametrize("damage", ["cut off", "no table", "sums", "dim"])
def test_a_table_that_does_not_fit_is_named(
    tmp_path: Path, encoder: BilmEncoder, damage: str
) -> None:
    """Nothing is written, and nothing is left beside the output."""
    extractor = _DrawnVectors(encoder, "top")
    task: Any = OccurrencesTask(["a", "b"], tmp_path / "shard.parquet")
    if damage == "sums":
        task = WordSumsTask({"a": 0}, tmp_path / "shard.parquet")
    path = run_job([["a", "b"]], 0, extractor, task)
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-20])
    if damage == "no table":
        path.write_text("a b", encoding="utf-8")
    row_shape = (extractor.dim + (damage == "dim"),)
    with pytest.raises(ConfigurationError, match=r"table of a shard .*'.*shard\.parquet'"):
        gather_targets([str(path)], open_file, ["a", "b"], row_shape, "float32", tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    """It is that of the function that opens it."""
    with pytest.raises(FileNotFoundError, match="nowhere.parquet"):
        gather_types([str(tmp_path / "nowhere.parquet")], open_file, ["a"], 3, tmp_path / "a.vec")
    assert not list(tmp_path.iterdir())


def test_files_of_another_run_are_replaced(tmp_path: Path, encoder: BilmEncoder) -> None:
    """Together, and nothing else is left beside them."""
    extractor = _DrawnVectors(encoder, "top")
    for sentences in ([["a", "b"]], [["b"], ["a", "a"]]):
        path = run_job(sentences, 0, extractor, OccurrencesTask(["a"], tmp_path / "shard.parquet"))
        gather_targets(
            [str(path)], open_file, ["a"], (extractor.dim,), "float32", tmp_path / "a.npz"
        )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.json", "a.npz", "shard.parquet"]
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "a": [["n\u00b0 1", 0], ["n\u00b0 1", 1]]
    }
    assert numpy.load(tmp_path / "a.npz")["a"].shape == (2, extractor.dim)


def test_a_full_disk_names_the_output(
    tmp_path: Path, encoder: BilmEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the vectors go to their temporary file."""
    extractor = _DrawnVectors(encoder, "top")
    task = OccurrencesTask(["a"], tmp_path / "shard.parquet")
    path = run_job([["a"] * 300], 0, extractor, task)
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(gathering.Tqdm, "tqdm", lambda paths, **_: paths)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="(?i)file too large.*nothing was written.*a.npz"):
            gather_targets(
                [str(path)], open_file, ["a"], (extractor.dim,), "float32", tmp_path / "a.npz"
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [path]


def _numbers(words: Sequence[str]) -> Dict[str, int]:
    return {word: number for number, word in enumerate(words)}
