"""The command `allennlp elmo-score`: scores, resumption, pairs, and what it prints."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, List
from unittest.mock import patch

import h5py
import numpy
import pandas
import pytest
from allennlp.commands import main
from allennlp.models import load_archive

# Importing it registers the command.
from allennlp_elmo_plugin.commands import elmo_score  # noqa: F401
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from tests.support.elmo_command import failing_after
from tests.support.language_model_experiment import language_model, train
from tests.support.scores import oracle_scores, write_language_model

LINES = ["the rain falls .", "a caf\u00e9", "zebra zebra rain zebra .", '" the sun "', "hills"]
SENTENCES = [line.split() for line in LINES]
PAIRS = [
    ("the rain falls .", "rain the falls .", "order"),
    ("the sun .", "the sun .", "same"),
    ("a zebra", "a rain", "order"),
]


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("lm"))


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    pairs = "".join("\t".join(pair) + "\n" for pair in PAIRS)
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    return tmp_path


def _allennlp(*arguments: Any) -> None:
    # The plugin is loaded already, and others are not tested here.
    with patch.object(sys, "argv", ["allennlp", *map(str, arguments)]), patch(
        "allennlp.commands.import_plugins"
    ):
        main()


def _run(model: Path, source: Any, output: Path, *options: Any, state: str = "zero") -> None:
    _allennlp("elmo-score", model, source, output, "--initial-state", state, *options)


def _read_json_lines(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _read_tsv(path: Path) -> pandas.DataFrame:
    return pandas.read_csv(
        path, sep="\t", quoting=csv.QUOTE_NONE, keep_default_na=False, na_values=[""]
    )


def test_every_format_has_the_scores_of_the_oracle(model: Path, folder: Path) -> None:
    """JSON lines, a table and HDF5 from one text."""
    for ending in ("jsonl", "tsv", "h5"):
        _run(model, folder / "in.txt", folder / f"out.{ending}")
    lines = _read_json_lines(folder / "out.jsonl")
    table = _read_tsv(folder / "out.tsv")
    with h5py.File(folder / "out.h5", "r") as file:
        datasets = {key: file[key][()] for key in file}
    for number, sentence in enumerate(SENTENCES):
        expected = oracle_scores(model, sentence)
        rows = table[table["sentence"] == number]
        for at, direction in enumerate(("forward", "backward")):
            scores = lines[number][direction]["log_probabilities"]
            assert numpy.allclose(scores, expected[at, :-1, 0], rtol=1e-5, atol=1e-5)
            assert lines[number][direction]["ranks"] == expected[at, :-1, 1].tolist()
            inside = rows[(rows["position"] >= 0) & (rows["position"] < len(sentence))]
            assert numpy.allclose(inside[f"{direction}_log_probability"], scores, rtol=1e-6)
            assert numpy.allclose(datasets[str(number)][at], scores, rtol=1e-6)
    assert lines[2]["unknown"] == [0, 1, 3] and lines[3]["unknown"] == [0, 3]


def test_the_summary_is_clear(
    model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the plan, the tokens, all perplexities, and the unknown words."""
    _run(model, folder / "in.txt", folder / "out.tsv")
    printed = capsys.readouterr().out.splitlines()
    scores = [oracle_scores(model, sentence)[..., 0] for sentence in SENTENCES]
    losses = -numpy.concatenate(scores, axis=1).mean(axis=1)
    forward, backward, both = numpy.exp([*losses, losses.mean()])
    assert printed[0] == "Found 5 sentences with 16 tokens, the longest with 5."
    assert printed[2].startswith(f"Wrote 5 sentences to {folder / 'out.tsv'}: 16 tokens in ")
    assert printed[3:] == [
        f"Perplexity: {forward:.2f} forward, {backward:.2f} backward, {both:.2f} both, over 21 "
        "predictions each",
        "Unknown words: 5 of 16 tokens (31.25%)",
    ]


@pytest.mark.parametrize("ending", ["jsonl", "tsv", "h5"])
def test_an_interrupted_run_goes_on(
    model: Path, folder: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is that of an uninterrupted run, and the perplexities cover the whole text."""
    options = ("--max-tokens", "1", "--unknown-words", "leave-out")
    (folder / "in.txt").write_text("\n".join(LINES * 8), encoding="utf-8")
    _run(model, folder / "in.txt", folder / f"expected.{ending}", *options)
    expected = capsys.readouterr().out.splitlines()[3:]
    output = folder / f"out.{ending}"
    with failing_after(2, engine=ElmoScorer), pytest.raises(SystemExit):
        _run(model, folder / "in.txt", output, *options)
    assert "with --resume to go on" in capsys.readouterr().err and not output.exists()
    with pytest.raises(SystemExit, match="unfinished work"):
        _run(model, folder / "in.txt", output, *options)
    with pytest.raises(SystemExit, match="surprisal was None and is 'bits'"):
        _run(model, folder / "in.txt", output, *options, "--resume", "--surprisal", "bits")
    capsys.readouterr()
    _run(model, folder / "in.txt", output, *options, "--resume")
    assert capsys.readouterr().out.splitlines()[3:] == expected
    assert len(expected) == 2
    if ending == "h5":
        with h5py.File(output, "r") as one, h5py.File(folder / "expected.h5", "r") as other:
            assert sorted(one) == sorted(other)
            for key in one:
                assert numpy.array_equal(one[key][()], other[key][()], equal_nan=True)
    else:
        assert output.read_bytes() == (folder / f"expected.{ending}").read_bytes()


def test_a_run_that_was_killed_at_its_end_has_its_perplexities(
    model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output is complete and only the folder is left: --resume prints them and removes it."""
    output = folder / "out.tsv"
    killed = patch.object(WorkingFolder, "remove", side_effect=KeyboardInterrupt)
    with killed, pytest.raises(SystemExit):
        _run(model, folder / "in.txt", output)
    expected = output.read_bytes()
    capsys.readouterr()
    _run(model, folder / "in.txt", output, "--resume")
    assert "Perplexity: " in capsys.readouterr().out
    assert output.read_bytes() == expected
    assert not (folder / "out.tsv.partial").exists()


def test_options_change_what_is_written(model: Path, folder: Path) -> None:
    """Surprisals in bits from a context of one token, without unknown words."""
    options = ("--surprisal", "bits", "--context", "1", "--unknown-words", "leave-out")
    _run(model, folder / "in.txt", folder / "out.jsonl", *options)
    found = _read_json_lines(folder / "out.jsonl")[2]["backward"]["surprisals"]
    assert found[:2] == [None, None] and found[3] is None
    expected = oracle_scores(model, ["zebra", "rain", "zebra"])[1, 1, 0]
    assert found[2] == pytest.approx(-expected / numpy.log(2), rel=1e-5)


def test_standard_input_and_other_formats_are_read(model: Path, folder: Path) -> None:
    """The input is that of `allennlp elmo`, and so are the keys."""
    sentence = {"id": "x", "sentence": "The rain falls."}
    stream = io.TextIOWrapper(io.BytesIO(json.dumps(sentence).encode()), encoding="utf-8")
    options = ("--input-format", "jsonl", "--tokenize", "en")
    with patch.object(sys, "stdin", stream):
        _run(model, "-", folder / "out.jsonl", *options)
    (found,) = _read_json_lines(folder / "out.jsonl")
    assert found["id"] == "x" and found["tokens"] == ["The", "rain", "falls", "."]


def test_no_sentences_have_no_perplexity(
    model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty text gives a table with its header alone."""
    (folder / "in.txt").write_text("", encoding="utf-8")
    _run(model, folder / "in.txt", folder / "out.tsv")
    assert "Perplexity" not in capsys.readouterr().out
    assert (folder / "out.tsv").read_text(encoding="utf-8").count("\n") == 1


@pytest.mark.parametrize("ending", ["jsonl", "tsv"])
def test_pairs_are_compared(
    model: Path, folder: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sums of both directions for both sentences, the preference, and accuracy by group."""
    output = folder / f"out.{ending}"
    _run(model, folder / "pairs.tsv", output, "--pairs", "--prefer-by", "forward")
    if ending == "tsv":
        rows = _read_tsv(output).to_dict("records")
    else:
        rows = [
            {
                **line,
                **{f"{name}_{key}": line[name][key] for name in names for key in sums},
                **{name: " ".join(line[name]["tokens"]) for name in names},
            }
            for names, sums in [
                (("sentence_good", "sentence_bad"), ("forward", "backward", "both"))
            ]
            for line in _read_json_lines(output)
        ]
    assert [row["pair"] for row in rows] == [0, 1, 2]
    for (good, bad, group), row in zip(PAIRS, rows):
        assert (row["sentence_good"], row["sentence_bad"], row["group"]) == (good, bad, group)
        sums = [oracle_scores(model, text.split())[..., 0].sum(axis=1) for text in (good, bad)]
        for name, expected in zip(("sentence_good", "sentence_bad"), sums):
            found = [row[f"{name}_{key}"] for key in ("forward", "backward", "both")]
            assert numpy.allclose(found, [*expected, expected.mean()], rtol=1e-5)
        prefers = "tie" if good == bad else "good" if sums[0][0] > sums[1][0] else "bad"
        assert row["prefers"] == prefers
    table = [line.split() for line in capsys.readouterr().out.splitlines()[3:]]
    assert [row[:2] for row in table[1:]] == [["order", "2"], ["same", "1"], ["all", "3"]]
    assert table[2][2:] == ["0", "0.0%", "1", "0"] and table[3][-1] == "1"


def test_interrupted_pairs_go_on(
    model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A commit may lie between the sentences of a pair."""
    lines = (folder / "pairs.tsv").read_text(encoding="utf-8") * 7
    (folder / "pairs.tsv").write_text(lines, encoding="utf-8")
    options = ("--pairs", "--max-tokens", "1")
    _run(model, folder / "pairs.tsv", folder / "expected.jsonl", *options)
    expected = capsys.readouterr().out.splitlines()[3:]
    halves = set()
    for number in (1, 2):
        output = folder / f"{number}.jsonl"
        with failing_after(number, engine=ElmoScorer), pytest.raises(SystemExit):
            _run(model, folder / "pairs.tsv", output, *options)
        record = JournaledFile.last_record(folder / f"{number}.jsonl.partial" / "data")
        halves.add(record["first"] is not None)
        capsys.readouterr()
        _run(model, folder / "pairs.tsv", output, *options, "--resume")
        assert capsys.readouterr().out.splitlines()[3:] == expected
        assert output.read_bytes() == (folder / "expected.jsonl").read_bytes()
    assert True in halves


@pytest.mark.parametrize(
    "source, output, options, expected",
    [
        ("in.txt", "out.npz", [], r"ends with .jsonl, .tsv, .hdf5, .h5, but got"),
        ("pairs.tsv", "out.h5", ["--pairs"], "ends with .jsonl, .tsv, but got"),
        ("in.txt", "out.tsv", ["--pairs"], "line 1: expected two sentences"),
        ("in.txt", "out.tsv", ["--normalize", "tokens"], "Got --normalize without --pairs"),
        ("in.txt", "out.tsv", ["--group-by", "UID"], "Got --group-by without --pairs"),
        (
            *("pairs.tsv", "out.tsv", ["--pairs", "--surprisal", "bits", "--keys", "numbers"]),
            "Got --surprisal and --keys together with --pairs",
        ),
        ("pairs.tsv", "pairs.tsv", ["--pairs"], "The output would replace"),
        ("in.txt", "out.tsv", ["--context", "-1"], "'context' to be at least 0"),
        ("in.txt", "out.tsv", ["--softmax", "none.hdf5"], "'none.hdf5' cannot be found"),
    ],
)
def test_errors_are_clear(
    model: Path, folder: Path, source: str, output: str, options: List[str], expected: str
) -> None:
    """Nothing is left after an error."""
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit, match=expected):
        _run(model, folder / source, folder / output, *options)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("options", [["--context", "2"], ["--pairs"], ["--resume"]])
def test_carried_states_do_not_go_with_everything(
    model: Path, folder: Path, options: List[str]
) -> None:
    """Contexts, pairs and resumption need sentences that stand alone."""
    source = folder / ("pairs.tsv" if "--pairs" in options else "in.txt")
    with pytest.raises(SystemExit, match="initial state"):
        _run(model, source, folder / "out.tsv", *options, state="carry")


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains in `run`, and exports to `exported`."""
    folder = tmp_path_factory.mktemp("trained")
    config = language_model(folder)
    # Words that are not in the training data are among the evaluated ones.
    with (folder / "dev.txt").open("a", encoding="utf-8") as file:
        file.write("zebra over the hills\n")
    config["trainer"]["num_epochs"] = 1
    train(config, folder / "run")
    load_archive(folder / "run").model.to_folder(folder / "exported")
    return folder


@pytest.mark.parametrize("name", ["run/model.tar.gz", "exported"])
@pytest.mark.parametrize("state", ["warm", "zero"])
def test_perplexities_are_those_of_allennlp_evaluate(
    trained: Path, tmp_path: Path, name: str, state: str
) -> None:
    """Forward, backward and both, to 1e-5, from the archive and from what it exports."""
    shutil.copy(trained / "run" / "model.tar.gz", tmp_path)
    overrides = {
        "model.initial_state": {"type": state},
        "validation_dataset_reader.num_steps": None,
    }
    _allennlp(
        *("evaluate", tmp_path / "model.tar.gz", trained / "dev.txt", "--output-file"),
        *(tmp_path / "metrics.json", "-o", json.dumps(overrides)),
    )
    expected = json.loads((tmp_path / "metrics.json").read_text())
    _run(trained / name, trained / "dev.txt", tmp_path / "out.jsonl", state=state)
    lines = _read_json_lines(tmp_path / "out.jsonl")
    num_unknown = 0
    means = []
    for direction in ("forward", "backward"):
        scores = [
            score
            for line in lines
            for fields in [line[direction]]
            for score in (*fields["log_probabilities"], fields["boundary"]["log_probability"])
        ]
        means.append(-numpy.mean(scores))
        assert numpy.exp(means[-1]) == pytest.approx(expected[f"{direction}_perplexity"], rel=1e-5)
    assert numpy.exp(numpy.mean(means)) == pytest.approx(expected["perplexity"], rel=1e-5)
    num_unknown = sum(len(line["unknown"]) for line in lines)
    num_predictions = sum(len(line["tokens"]) + 1 for line in lines)
    assert num_unknown / num_predictions == pytest.approx(expected["unknown_words"])
