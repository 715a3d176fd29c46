"""The formats of scores, written by their classes and read by other libraries."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Optional

import h5py
import numpy
import pandas
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.outputs.base import TOTALS
from allennlp_elmo_plugin.scoring.style import ScoreStyle
from allennlp_elmo_plugin.scoring.task import ScoringTask

SCORER: Any = SimpleNamespace(
    language_model=SimpleNamespace(is_unknown=lambda token: token.startswith("?"))
)
TOKENS = [
    ["the", "?rain", '"', "'", "NA", "null", "#", "nan"],
    [],
    ["a\tb", "c\nd", "e\rf", "\\", "\\t", '"quoted"', "caf\u00e9", "\U0001f327", "\u2028", " "],
    ["?"],
]
SENTENCES = [Sentence(each, f"k{at}", " ".join(each)) for at, each in enumerate(TOKENS)]
FORMATS = [".jsonl", ".tsv", ".hdf5", ".h5"]


def _results() -> List[numpy.ndarray]:
    generator = numpy.random.default_rng(0)
    results = []
    for tokens in TOKENS:
        shape = (2, len(tokens) + 1)
        log_probabilities = -generator.exponential(5.0, shape)
        ranks = generator.integers(1, 800_000, shape)
        results.append(numpy.stack([log_probabilities, ranks], axis=-1).astype("float32"))
    return results


RESULTS = _results()
SHAPE = ResultShape(len(TOKENS), sum(map(len, TOKENS)) + len(TOKENS), 2, False, 2, "float32")


def _write(
    output: Path,
    surprisal: Optional[str] = None,
    leaves_out_unknown: bool = False,
    begun: int = 0,
) -> Any:
    """Writes all sentences, the first ones in a process that ends, and returns the record."""
    task = ScoringTask(output, ScoreStyle(surprisal, leaves_out_unknown))
    task.require_fit(SCORER)
    data = output.with_name(f"data{output.suffix}")
    for stop in [begun, len(SENTENCES)] if begun else [len(SENTENCES)]:
        with task.open_output(JournaledFile(data), SHAPE) as opened:
            for at in range(opened.num_sentences, stop):
                opened.write(SENTENCES[at], RESULTS[at])
            opened.commit({"some": stop})
            if stop < len(SENTENCES):
                # The sentences after the commit are written again.
                opened.write(SENTENCES[stop], RESULTS[stop])
            else:
                opened.finish(SENTENCES, output)
    return JournaledFile.last_record(data)


def _unescape(text: str) -> str:
    return text.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r")


def _read_tsv(path: Path) -> pandas.DataFrame:
    """Reads a table as the documentation tells."""
    return pandas.read_csv(
        path, sep="\t", quoting=csv.QUOTE_NONE, keep_default_na=False, na_values=[""]
    )


def test_json_lines_hold_everything(tmp_path: Path) -> None:
    """Each number is read back to the bit, and the perplexities are those of the sentence."""
    _write(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for sentence, results, found in zip(SENTENCES, RESULTS, lines):
        assert (found["id"], found["tokens"]) == (sentence.key, sentence.tokens)
        expected = [at for at, token in enumerate(sentence.tokens) if token.startswith("?")]
        assert found["unknown"] == expected
        for each, direction in zip(results, ("forward", "backward")):
            fields = found[direction]
            scores = [*fields["log_probabilities"], fields["boundary"]["log_probability"]]
            assert numpy.array_equal(numpy.array(scores, dtype="float32"), each[:, 0])
            assert [*fields["ranks"], fields["boundary"]["rank"]] == each[:, 1].tolist()
            assert fields["perplexity"] == pytest.approx(numpy.exp(-each[:, 0].mean()), rel=1e-5)
        assert found["perplexity"] == pytest.approx(numpy.exp(-results[..., 0].mean()), rel=1e-5)


def test_json_lines_hold_surprisals_and_leave_words_out(tmp_path: Path) -> None:
    """The names are those of surprisals, and a word that is left out has null."""
    _write(tmp_path / "a.jsonl", "bits", True)
    first = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    surprisals = first["backward"]["surprisals"]
    assert surprisals[1] is None and first["backward"]["ranks"][1] is None
    assert surprisals[0] == pytest.approx(-RESULTS[0][1, 0, 0] / numpy.log(2), rel=1e-6)
    assert set(first["backward"]) == {"surprisals", "ranks", "boundary", "perplexity"}
    assert set(first["backward"]["boundary"]) == {"surprisal", "rank"}
    left = numpy.delete(RESULTS[0][1, :, 0], 1)
    assert first["backward"]["perplexity"] == pytest.approx(numpy.exp(-left.mean()), rel=1e-5)


def test_pandas_reads_the_table(tmp_path: Path) -> None:
    """Rows for all tokens and boundaries; tabs, quotes and line breaks do not break any."""
    _write(tmp_path / "a.tsv")
    table = _read_tsv(tmp_path / "a.tsv")
    assert list(table) == [
        *("sentence", "position", "token", "unknown"),
        *("forward_log_probability", "forward_rank"),
        *("backward_log_probability", "backward_rank"),
    ]
    assert table["unknown"].dtype == bool
    for sentence, results in zip(SENTENCES, RESULTS):
        rows = table[table["sentence"] == sentence.key]
        assert rows["position"].tolist() == list(range(-1, len(sentence.tokens) + 1))
        escaped = [text.replace("\\\\", "\0") for text in rows["token"]]
        tokens = [_unescape(text).replace("\0", "\\") for text in escaped]
        assert tokens == ["<S>", *sentence.tokens, "</S>"]
        forward = rows[["forward_log_probability", "forward_rank"]].to_numpy()
        backward = rows[["backward_log_probability", "backward_rank"]].to_numpy()
        assert numpy.isnan(forward[0]).all() and numpy.isnan(backward[-1]).all()
        assert numpy.array_equal(forward[1:].astype("float32"), results[0])
        assert numpy.array_equal(numpy.roll(backward[:-1], -1, 0).astype("float32"), results[1])
        unknown = [token.startswith("?") for token in ["<S>", *sentence.tokens, "</S>"]]
        assert rows["unknown"].tolist() == unknown


def test_every_line_of_the_table_has_all_fields(tmp_path: Path) -> None:
    """A program that only splits at tabs and line breaks reads it, too."""
    _write(tmp_path / "a.tsv", "nats", True)
    lines = (tmp_path / "a.tsv").read_bytes().decode().split("\n")[:-1]
    assert len(lines) == 1 + SHAPE.num_tokens + SHAPE.num_sentences
    assert {line.count("\t") for line in lines} == {7}
    assert lines[0].split("\t")[4:6] == ["forward_surprisal", "forward_rank"]
    assert lines[3].split("\t") == ["k0", "1", "?rain", "TRUE", "", "", "", ""]


def test_half_of_a_character_is_escaped(tmp_path: Path) -> None:
    """JSON lines can name one, and UTF-8 cannot hold it."""
    task = ScoringTask(tmp_path / "a.tsv", ScoreStyle())
    task.require_fit(SCORER)
    shape = ResultShape(1, 2, 2, False, 2, "float32")
    sentence = Sentence(["\ud800"], "0", "")
    with task.open_output(JournaledFile(tmp_path / "data"), shape) as opened:
        opened.write(sentence, RESULTS[3])
        opened.commit({})
        opened.finish([sentence], tmp_path / "a.tsv")
    assert "\t\\ud800\t" in (tmp_path / "a.tsv").read_text(encoding="utf-8")


@pytest.mark.parametrize("leaves_out", [False, True])
def test_hdf5_has_a_dataset_for_each_sentence(tmp_path: Path, leaves_out: bool) -> None:
    """Its shape is (2, tokens), with the boundaries beside it."""
    _write(tmp_path / "a.hdf5", leaves_out_unknown=leaves_out)
    with h5py.File(tmp_path / "a.hdf5", "r") as file:
        assert sorted(file) == [sentence.key for sentence in SENTENCES]
        for sentence, results in zip(SENTENCES, RESULTS):
            dataset = file[sentence.key]
            expected = results[:, :-1, 0].copy()
            if leaves_out:
                at = [at for at, token in enumerate(sentence.tokens) if token.startswith("?")]
                expected[:, at] = numpy.nan
            assert dataset.dtype == numpy.float32
            assert numpy.array_equal(dataset[()], expected, equal_nan=True)
            assert numpy.array_equal(dataset.attrs["boundaries"], results[:, -1, 0])


@pytest.mark.parametrize("ending", FORMATS)
def test_an_output_goes_on_from_a_commit(tmp_path: Path, ending: str) -> None:
    """The file and the totals are those of a run that was not interrupted."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    expected = _write(tmp_path / "one" / f"a{ending}")
    found = _write(tmp_path / "two" / f"a{ending}", begun=2)
    assert found[TOTALS] == expected[TOTALS] and found["some"] == len(SENTENCES)
    totals = found[TOTALS]
    assert totals["num_tokens"] == sum(map(len, TOKENS)) and totals["num_unknown"] == 2
    assert totals["sums"] == pytest.approx(
        [sum(float(each[at, :, 0].sum()) for each in RESULTS) for at in range(2)], rel=1e-6
    )
    if ending in (".jsonl", ".tsv"):
        one, two = ((tmp_path / name / f"a{ending}").read_bytes() for name in ("one", "two"))
        assert one == two


@pytest.mark.parametrize("ending", FORMATS)
def test_the_size_is_estimated(tmp_path: Path, ending: str) -> None:
    """The estimate of a longer text is near its size."""
    output = tmp_path / f"a{ending}"
    task = ScoringTask(output, ScoreStyle())
    task.require_fit(SCORER)
    number, length = 300, 20
    shape = ResultShape(number, number * (length + 1), 2, False, 2, "float32")
    results = numpy.resize(RESULTS[0], (2, length + 1, 2))
    with task.open_output(JournaledFile(tmp_path / "data"), shape) as opened:
        for at in range(number):
            opened.write(Sentence(["words"] * length, str(at), ""), results)
        opened.commit({})
        opened.finish([], output)
    estimate = task.output_class.num_bytes(shape, sum(len(str(at)) for at in range(number)), 0)
    assert 0.6 < estimate / output.stat().st_size < 1.7


@pytest.mark.parametrize("ending", FORMATS)
def test_scores_are_finite(tmp_path: Path, ending: str) -> None:
    """A biLM with broken weights is an error, whatever the format can hold."""
    task = ScoringTask(tmp_path / f"a{ending}", ScoreStyle())
    task.require_fit(SCORER)
    opened = task.open_output(JournaledFile(tmp_path / "data"), SHAPE)
    message = "finite scores.*'k3'.*Check the weights"
    with opened, pytest.raises(ConfigurationError, match=message):
        opened.write(SENTENCES[3], numpy.full((2, 2, 2), numpy.nan, dtype="float32"))


def test_another_ending_is_an_error(tmp_path: Path) -> None:
    """The error names the endings."""
    with pytest.raises(ConfigurationError, match=r"ends with .jsonl, .tsv, .hdf5, .h5, but got"):
        ScoringTask(tmp_path / "a.npz", ScoreStyle())
