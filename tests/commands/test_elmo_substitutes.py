"""The command `allennlp elmo-substitutes`."""

import gzip
import json
from pathlib import Path
from typing import Any, Dict, List
from unittest.mock import patch

import numpy
import pytest

from allennlp_elmo_plugin.extraction import job
from allennlp_elmo_plugin.scoring import substitutes_output
from allennlp_elmo_plugin.scoring.substitutes import SubstituteFinder
from tests.support.run_command import run_command
from tests.support.softmax_files import SOFTMAX_WORDS, SoftmaxOracle, write_softmax_files

LINES = ["the rain falls .", "a sun", "caf\u00e9 \u96e8 rain", "Rain shines on Rain", "the end"]
SENTENCES = [line.split() for line in LINES]
TARGETS = "rain, Rain\nsun\n\nhills\n"


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models") / "lm"


@pytest.fixture(scope="module", name="oracle")
def _oracle(model: Path) -> SoftmaxOracle:
    return write_softmax_files(model)


@pytest.fixture(name="run")
def _run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, oracle: SoftmaxOracle
) -> Any:
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    (tmp_path / "words.txt").write_text(TARGETS, encoding="utf-8")

    def run(output: str, *options: str, state: str = "zero") -> List[Dict[str, Any]]:
        """Runs the command, and returns the lines of its output."""
        arguments = [str(model), "in.txt", output, "--initial-state", state, *options]
        run_command(tmp_path, monkeypatch, "elmo-substitutes", *arguments)
        return _read(tmp_path / output)

    return run


def _read(path: Path) -> List[Dict[str, Any]]:
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    return [json.loads(line) for line in text.decode("utf-8").splitlines()]


def _assert_candidates(found: Any, probabilities: numpy.ndarray, topn: int) -> None:
    """Compares the candidates of one place with a distribution."""
    expected = [row for row in numpy.argsort(-probabilities) if SOFTMAX_WORDS[row][0] != "<"]
    assert [word for word, _ in found] == [SOFTMAX_WORDS[row] for row in expected[:topn]]
    scores = [score for _, score in found]
    numpy.testing.assert_allclose(scores, numpy.log(probabilities[expected[:topn]]), atol=1e-5)


def test_each_token_has_candidates(run: Any, oracle: SoftmaxOracle) -> None:
    """A line for each sentence, with the ten best of three distributions for each token."""
    lines = run("out.jsonl")
    assert [line["id"] for line in lines] == ["0", "1", "2", "3", "4"]
    assert [line["tokens"] for line in lines] == SENTENCES
    for line in lines:
        assert list(line)[2:] == ["forward", "backward", "combined"]
        distributions = oracle.distributions(line["tokens"])
        for name, distribution in zip(("forward", "backward", "combined"), distributions):
            assert len(line[name]) == len(line["tokens"])
            for found, probabilities in zip(line[name], distribution):
                _assert_candidates(found, probabilities, 10)


def test_targets_have_a_line_for_each_occurrence(
    run: Any, oracle: SoftmaxOracle, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its lemma; sentences without a target are not run."""
    lines = run("out.jsonl", "--targets", "words.txt", "--topn", "2", "--by", "combined")
    places = [(line["id"], line["position"], line["token"], line["lemma"]) for line in lines]
    assert places == [
        ("0", 1, "rain", "rain"),
        ("1", 1, "sun", "sun"),
        ("2", 2, "rain", "rain"),
        ("3", 0, "Rain", "rain"),
        ("3", 3, "Rain", "rain"),
    ]
    for line in lines:
        assert list(line)[4:] == ["combined"]
        combined = oracle.distributions(SENTENCES[int(line["id"])])[2]
        _assert_candidates(line["combined"], combined[line["position"]], 2)
    printed = capsys.readouterr().out
    assert "4 of them have a target." in printed and ": 13 tokens in" in printed
    assert "\n5 occurrences of 2 of 3 targets, a line for each.\nNo occurrence: hills\n" in printed


def test_the_state_is_carried_over_sentences_without_a_target(run: Any) -> None:
    """All sentences are run if their order counts, and the same lines are written."""
    lines = run("out.jsonl", "--targets", "words.txt", state="carry")
    assert [line["token"] for line in lines] == ["rain", "sun", "rain", "Rain", "Rain"]


def test_tokens_can_be_left_out_of_their_candidates(run: Any) -> None:
    """The others move up."""
    with_token = run("out.jsonl", "--topn", "17")
    without = run("out.jsonl", "--topn", "16", "--without-token", "--by", "backward")
    for line, other in zip(with_token, without):
        assert list(other) == ["id", "tokens", "backward"]
        for token, found, left in zip(line["tokens"], line["backward"], other["backward"]):
            expected = [pair for pair in found if pair[0] != token]
            assert left == expected[:16]


def test_the_output_can_be_compressed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one part or in many, it is the same text."""
    lines = run("out.jsonl")
    assert run("out.jsonl.gz") == lines
    monkeypatch.setattr(substitutes_output, "NUM_MEMBER_BYTES", 1)
    assert run("out.jsonl.gz") == lines


def test_sentences_come_in_every_format(run: Any, tmp_path: Path) -> None:
    """Texts are tokenized, and ids are kept."""
    (tmp_path / "in.txt").write_text(
        '{"id": "x", "sentence": "The sun shines."}\n{"id": "y", "tokens": ["\\u96e8"]}\n'
    )
    lines = run("out.jsonl", "--input-format", "jsonl", "--tokenize", "en")
    assert [line["id"] for line in lines] == ["x", "y"]
    assert [line["tokens"] for line in lines] == [["The", "sun", "shines", "."], ["\u96e8"]]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_a_stopped_run_goes_on(run: Any, tmp_path: Path, name: str) -> None:
    """Its lines are those of a run that was not stopped."""
    options = ["--max-tokens", "1", "--targets", "words.txt"]
    expected = run(f"whole-{name}", *options)
    with pytest.raises(SystemExit), _failing_in_the_second_window():
        run(name, *options)
    assert not (tmp_path / name).exists()
    with pytest.raises(SystemExit, match="--resume"):
        run(name, *options)
    with pytest.raises(SystemExit, match="topn"):
        run(name, *options, "--topn", "3", "--resume")
    assert run(name, *options, "--resume") == expected


def _failing_in_the_second_window() -> Any:
    """Commits after every window, and presses Ctrl-C in the second one."""
    run_window = SubstituteFinder.run_window
    windows: List[Any] = []

    def failing(self: SubstituteFinder, window: Any) -> Any:
        windows.append(window)
        if len(windows) > 1:
            raise KeyboardInterrupt
        return run_window(self, window)

    return patch.multiple(SubstituteFinder, run_window=failing)


@pytest.fixture(autouse=True)
def _commits_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "COMMIT_SECONDS", 0.0)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--topn", "18"], "'topn' to be from 1 to 17"),
        (["--by", "combined", "--by", "combined"], "each once"),
        (["--targets", "nowhere.txt"], "nowhere.txt"),
        (["--targets", "none.txt"], "one or more target words"),
        (["--targets", "twice.txt"], "'b' stands in the lines of 'a' and 'c'"),
        (["--softmax", "in.txt"], "in.txt"),
    ],
)
def test_mistakes_are_errors(run: Any, tmp_path: Path, options: List[str], message: str) -> None:
    """They say what is wrong, and nothing is left."""
    (tmp_path / "none.txt").write_text("\n , \n")
    (tmp_path / "twice.txt").write_text("a,b\nc,b\n")
    with pytest.raises(SystemExit, match=message):
        run("out.jsonl", *options)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("name", ["out.json", "out.txt.gz", "in.txt"])
def test_other_endings_are_errors(run: Any, name: str) -> None:
    """The error names those that there are."""
    with pytest.raises(SystemExit, match="ends in .jsonl or .jsonl.gz"):
        run(name)


def test_the_targets_are_not_replaced(run: Any, tmp_path: Path) -> None:
    """An output that is an input is an error."""
    (tmp_path / "words.jsonl").write_text("rain\n")
    with pytest.raises(SystemExit, match="The output would replace"):
        run("words.jsonl", "--targets", "words.jsonl")
