"""Corpora with vectors, written by the outputs and read by other libraries."""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import h5py
import numpy
import pytest

from allennlp_elmo_plugin.extraction.outputs.by_ending import output_by_ending
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["FORMATS", "Corpus", "make_corpus", "read", "unfinished", "write"]

try:
    from pyarrow import parquet
except ImportError:
    parquet = None

needs_pyarrow = pytest.mark.skipif(parquet is None, reason="pyarrow is not installed")
FORMATS = [
    ".hdf5",
    ".npz",
    ".npy",
    pytest.param(".parquet", marks=needs_pyarrow),
    ".jsonl",
]
DIM = 6


class Corpus(NamedTuple):
    """
    Sentences and their vectors.

    # Parameters

    sentences : `List[Sentence]`
        The sentences.
    vectors : `List[numpy.ndarray]`
        Their results, float32.
    shape : `ResultShape`
        Shape of all results.
    """

    sentences: List[Sentence]
    vectors: List[numpy.ndarray]
    shape: ResultShape


def make_corpus(
    num_sentences: int = 40,
    num_layers: Optional[int] = 3,
    is_pooled: bool = False,
    dtype: str = "float32",
    dim: int = DIM,
) -> Corpus:
    """Makes sentences of various lengths, of which one is empty."""
    generator = numpy.random.default_rng(0)
    lengths = [(7 * number) % 5 for number in range(num_sentences)]
    shape = ResultShape(num_sentences, sum(lengths), num_layers, is_pooled, dim, dtype)
    sentences = []
    for number, length in enumerate(lengths):
        tokens = [f"wört{number}.{token}" for token in range(length)]
        sentences.append(Sentence(tokens, str(number), " ".join(tokens)))
    vectors = [
        generator.standard_normal(shape.of_sentence(length)).astype("float32") for length in lengths
    ]
    return Corpus(sentences, vectors, shape)


def unfinished(output: Path) -> Path:
    """Returns the path of the unfinished file, and makes its folder."""
    folder = output.with_name(f"{output.name}.partial")
    folder.mkdir(exist_ok=True)
    return folder / output.name


def write(output: Path, corpus: Corpus, commit_every: int = 7, **options: Any) -> None:
    """Writes a corpus, or goes on where an earlier call was killed."""
    path = unfinished(output)
    if JournaledFile.is_moved(path):
        return
    with output_by_ending(output)(JournaledFile(path), corpus.shape, **options) as writer:
        rest = slice(writer.num_sentences, None)
        for sentence, vectors in zip(corpus.sentences[rest], corpus.vectors[rest]):
            writer.write(sentence, vectors)
            if writer.num_sentences % commit_every == 0:
                writer.commit({"number": writer.num_sentences})
        writer.finish(corpus.sentences, output)


def read(output: Path) -> Dict[str, numpy.ndarray]:
    """Reads all results by key, in the order of the file where it has one."""
    return {
        ".hdf5": _read_hdf5,
        ".npz": _read_npz,
        ".npy": _read_npy,
        ".parquet": _read_parquet,
        ".jsonl": _read_jsonl,
    }[output.suffix](output)


def _read_hdf5(output: Path) -> Dict[str, numpy.ndarray]:
    with h5py.File(output, "r") as file:
        return {key: file[key][()] for key in file if key != "sentence_to_index"}


def _read_npz(output: Path) -> Dict[str, numpy.ndarray]:
    with numpy.load(output) as file:
        return dict(file)


def _read_npy(output: Path) -> Dict[str, numpy.ndarray]:
    array = numpy.load(output)
    ids = json.loads(output.with_suffix(".json").read_text())
    if isinstance(ids, list):
        return dict(zip(ids, array))
    ends = numpy.cumsum(ids["num_tokens"])
    assert list(ids) == ["ids", "num_tokens"] and ends[-1] == len(array)
    parts = [
        array[end - count : end].swapaxes(0, -2) for end, count in zip(ends, ids["num_tokens"])
    ]
    return dict(zip(ids["ids"], parts))


def _read_parquet(output: Path) -> Dict[str, numpy.ndarray]:
    table = parquet.read_table(output)
    assert table.column_names == ["id", "tokens", "vectors"]
    rows = table.to_pylist()
    number = str(table.schema.field("vectors").type)
    dtype = "float16" if "halffloat" in number else "float32"
    return {row["id"]: numpy.array(row["vectors"], dtype=dtype) for row in rows}


def _read_jsonl(output: Path) -> Dict[str, numpy.ndarray]:
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    return {row["id"]: numpy.array(row["vectors"], dtype="float32") for row in rows}
