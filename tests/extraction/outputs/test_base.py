"""The behaviour that all formats of outputs share."""

import errno
import os
import random
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any, Optional

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.outputs.by_ending import output_by_ending
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from tests.extraction.outputs.corpora import FORMATS, Corpus, make_corpus, read, unfinished, write
from tests.support.children import exit_status, needs_fork, start, stopped_at_rename

pytestmark = pytest.mark.parametrize("ending", FORMATS)


def _require_all(output: Path, corpus: Corpus, dtype: str = "float32") -> None:
    found = read(output)
    assert sorted(found) == sorted(sentence.key for sentence in corpus.sentences)
    for sentence, vectors in zip(corpus.sentences, corpus.vectors):
        array = found[sentence.key]
        # A list of no lists has no rank.
        assert array.shape == vectors.shape or (array.size == 0 and output.suffix != ".hdf5")
        assert array.dtype == dtype or output.suffix == ".jsonl"
        assert (array.reshape(vectors.shape).astype(dtype) == vectors.astype(dtype)).all()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("is_pooled", [False, True], ids=["tokens", "pooled"])
@pytest.mark.parametrize("num_layers", [3, None], ids=["layers", "one layer"])
def test_what_is_written_is_read(
    tmp_path: Path, ending: str, num_layers: Optional[int], is_pooled: bool, dtype: str
) -> None:
    """Other libraries find the numbers of each sentence, of each shape and type."""
    corpus = make_corpus(12, num_layers, is_pooled, dtype)
    output = tmp_path / f"vectors{ending}"
    write(output, corpus)
    _require_all(output, corpus, dtype)
    assert JournaledFile.is_moved(unfinished(output))
    left = [path for path in tmp_path.iterdir() if path.name != f"{output.name}.partial"]
    assert sorted(left) == sorted(output_by_ending(output).paths(output))


def test_there_may_be_no_sentences(tmp_path: Path, ending: str) -> None:
    """The file is empty."""
    corpus = make_corpus(0, is_pooled=True)
    write(tmp_path / f"vectors{ending}", corpus)
    assert read(tmp_path / f"vectors{ending}") == {}


@pytest.mark.parametrize("is_pooled", [False, True], ids=["tokens", "pooled"])
def test_the_size_is_estimated(tmp_path: Path, ending: str, is_pooled: bool) -> None:
    """The estimate is never too small by much, and too large by a quarter at most."""
    corpus = make_corpus(300, None, is_pooled, dim=200)
    output = tmp_path / f"vectors{ending}"
    options = {"has_sentence_index": True} if ending == ".hdf5" else {}
    write(output, corpus, commit_every=1000, **options)
    kind = output_by_ending(output)
    num_key_bytes = sum(len(each.key.encode()) for each in corpus.sentences)
    num_text_bytes = sum(len(each.text.encode()) for each in corpus.sentences)
    size = sum(path.stat().st_size for path in kind.paths(output))
    estimate = kind.num_bytes(corpus.shape, num_key_bytes, num_text_bytes)
    assert 0.97 * size < estimate < 1.25 * size
    assert kind.num_working_bytes(corpus.shape, num_key_bytes, num_text_bytes) > 0


@needs_fork
def test_a_process_killed_at_each_rename_changes_nothing(tmp_path: Path, ending: str) -> None:
    """A rename is a commit, or the moment at which a file appears. Nothing appears before it."""
    corpus = make_corpus(20)
    output = tmp_path / f"vectors{ending}"
    for number in count():
        if not stopped_at_rename(number, lambda: write(output, corpus, 4)):
            break
        assert not output.exists() or JournaledFile.is_moved(unfinished(output))
    _require_all(output, corpus)


@needs_fork
def test_a_process_killed_at_random_changes_nothing(tmp_path: Path, ending: str) -> None:
    """However often it is killed, each sentence is in the file once."""
    corpus = make_corpus(150)
    output = tmp_path / f"vectors{ending}"
    generator = random.Random(1)
    for pause in (0.02, 0.04, 0.06, 0.08, 0.1):
        child = start(lambda: write(output, corpus, 10))
        time.sleep(pause * generator.uniform(0.8, 1.2))
        os.kill(child, signal.SIGKILL)
        exit_status(child)
    write(output, corpus, 10)
    _require_all(output, corpus)


@needs_fork
@pytest.mark.parametrize("fraction", [0.02, 0.4, 0.8, 0.97])
def test_a_full_disk_is_an_error_with_a_way_on(
    tmp_path: Path, ending: str, fraction: float
) -> None:
    """The error names a file, the process goes on, and so does the next one with more space."""
    resource = pytest.importorskip("resource")
    corpus = make_corpus(60, dim=100)
    whole, output = tmp_path / f"whole{ending}", tmp_path / f"vectors{ending}"
    write(whole, corpus)
    limit = int(fraction * whole.stat().st_size)

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        with pytest.raises(OSError, match=r"ulimit -f") as raised:
            write(output, corpus)
        assert raised.value.errno == errno.EFBIG and ending in raised.value.filename

    # In a process of its own: a failed write may end it.
    assert exit_status(start(write_too_much)) == 0
    assert not output.exists()
    write(output, corpus)
    _require_all(output, corpus)


def test_the_record_is_found_again(tmp_path: Path, ending: str) -> None:
    """It is the one of the last commit, beside what the output notes itself."""
    corpus = make_corpus(5)
    path = unfinished(tmp_path / f"vectors{ending}")
    kind = output_by_ending(path)
    with kind(JournaledFile(path), corpus.shape) as writer:
        for number in range(3):
            writer.write(corpus.sentences[number], corpus.vectors[number])
            if number == 1:
                writer.commit({"options": [1, 2]})
    file = JournaledFile(path)
    assert file.record is not None and file.record["options"] == [1, 2]
    with kind(file, corpus.shape) as writer:
        assert writer.num_sentences == 2


def test_an_output_goes_on_with_the_same_shape_only(tmp_path: Path, ending: str) -> None:
    """The error comes before anything is written."""
    corpus = make_corpus(5)
    path = unfinished(tmp_path / f"vectors{ending}")
    kind = output_by_ending(path)
    with kind(JournaledFile(path), corpus.shape) as writer:
        writer.commit({})
    file = JournaledFile(path)
    with pytest.raises(ConfigurationError, match="the same options"):
        kind(file, corpus.shape._replace(dim=7))
    assert file.closed


def test_a_sentence_too_few_is_an_error(tmp_path: Path, ending: str) -> None:
    """An input that changed meanwhile is noticed before the file appears."""
    corpus = make_corpus(5)
    shorter = corpus._replace(sentences=corpus.sentences[:4])
    with pytest.raises(ConfigurationError, match="Has the input changed"):
        write(tmp_path / f"vectors{ending}", shorter)
    assert not (tmp_path / f"vectors{ending}").exists()


def test_an_error_in_a_sentence_ends_the_commits(tmp_path: Path, ending: str) -> None:
    """Half a sentence is never committed."""
    corpus = make_corpus(5)
    path = unfinished(tmp_path / f"vectors{ending}")
    kind = output_by_ending(path)
    with kind(JournaledFile(path), corpus.shape) as writer:
        writer.write(corpus.sentences[0], corpus.vectors[0])
        writer.commit({})
        for attempt in (
            lambda: writer.write(corpus.sentences[1], numpy.zeros((2, 3, 4), "float32")),
            lambda: writer.commit({}),
        ):
            with pytest.raises(ValueError, match="Expected vectors of the shape"):
                attempt()
    with kind(JournaledFile(path), corpus.shape) as writer:
        assert writer.num_sentences == 1


def test_an_error_of_the_input_is_not_blamed_on_the_output(tmp_path: Path, ending: str) -> None:
    """It reaches the caller as it is."""
    corpus = make_corpus(2)

    class Broken:
        def __iter__(self) -> Any:
            raise OSError(errno.EIO, "broken", "input.txt")

    path = unfinished(tmp_path / f"vectors{ending}")
    options = {"has_sentence_index": True} if ending == ".hdf5" else {}
    with output_by_ending(path)(JournaledFile(path), corpus.shape, **options) as writer:
        for sentence, vectors in zip(corpus.sentences, corpus.vectors):
            writer.write(sentence, vectors)
        if ending in (".hdf5", ".npy"):
            with pytest.raises(OSError, match="broken") as raised:
                writer.finish(Broken(), tmp_path / path.name)
            assert raised.value.filename == "input.txt"


@pytest.mark.parametrize("number", [7e4, float("nan")])
def test_float16_holds_finite_numbers_only(tmp_path: Path, ending: str, number: float) -> None:
    """The error names the sentence, and the way out."""
    corpus = make_corpus(2, dtype="float16")
    corpus.vectors[1][0, 0, 0] = number
    with pytest.raises(ConfigurationError, match="sentence '1'.*Choose float32"):
        write(tmp_path / f"vectors{ending}", corpus)


def test_only_hdf5_has_a_sentence_index(tmp_path: Path, ending: str) -> None:
    """Other formats say so."""
    corpus = make_corpus(2)
    output = tmp_path / f"vectors{ending}"
    if ending != ".hdf5":
        with pytest.raises(ConfigurationError, match="HDF5 files only"):
            write(output, corpus, has_sentence_index=True)
