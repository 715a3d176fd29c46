"""The command `allennlp elmo-change`."""

import csv
import json
import sys
from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest

from allennlp_elmo_plugin.senses import clusters
from tests.support.elmo_command import SIZES, failing_after
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.oracle import Oracle
from tests.support.run_command import run_command

FIRST = ["the rain falls", "rain and a mouse", "a mouse", "mouse and rain", "no target here"]
SECOND = ["a mouse", "rain a mouse rain", "the the mouse", "rain falls", "rain rain"]
TARGETS = ["mouse", "rain", "falls", "mouse", "nowhere"]
MODEL = ("--model", "elmo", "--initial-state", "zero")
TEXTS = ("old.txt", "new.txt", "out.tsv", "--targets", "words.txt")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    write_elmo_files(tmp_path / "elmo", elmo_options(**SIZES), seed=3)
    for name, lines in {"old": FIRST, "new": SECOND, "words": TARGETS}.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    run_command(folder, monkeypatch, "elmo-change", *arguments)


def _rows(path: Path) -> List[Dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _occurrences(folder: Path, lines: List[str], word: str, layer: int = -1) -> numpy.ndarray:
    """Returns the vectors of a word by the oracle, which shares no code with the package."""
    files = folder / "elmo"
    oracle = Oracle(str(files / "options.json"), str(files / "weights.hdf5"))
    found = []
    for tokens in map(str.split, lines):
        layers = oracle.batch_layers([tokens]).layers[:, 0, 1:-1]
        vectors = layers.mean(axis=0) if layer is None else layers[layer]
        found += [vectors[place] for place, token in enumerate(tokens) if token == word]
    return numpy.array(found)


def _distance(one: numpy.ndarray, other: numpy.ndarray) -> float:
    return float(1 - one @ other / numpy.linalg.norm(one) / numpy.linalg.norm(other))


@pytest.mark.parametrize("flags, layer", [([], -1), (["--layer", "0"], 0), (["--average"], None)])
def test_texts_are_run_and_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch, flags: List[str], layer: Any
) -> None:
    """The measures are those of the oracle's vectors, of the last layer by default."""
    _run(folder, monkeypatch, *TEXTS, *MODEL, *flags)
    rows = {row["word"]: row for row in _rows(folder / "out.tsv")}
    assert set(rows) == set(TARGETS)
    for word in ("mouse", "rain"):
        first, second = (_occurrences(folder, lines, word, layer) for lines in (FIRST, SECOND))
        pairs = [_distance(one, other) for one in first for other in second]
        row = rows[word]
        assert int(row["first_occurrences"]) == len(first) == int(row["first_clustered"])
        assert int(row["second_occurrences"]) == len(second) == int(row["second_clustered"])
        assert float(row["apd"]) == pytest.approx(sum(pairs) / len(pairs), abs=2e-6)
        of_means = _distance(first.mean(axis=0), second.mean(axis=0))
        assert float(row["cosine_distance"]) == pytest.approx(of_means, abs=2e-6)
        assert float(row["cosine"]) == pytest.approx(1 - of_means, abs=2e-6)
        assert 0 <= float(row["jsd"]) <= 1


def test_the_summary_names_words_without_measures(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The rare words stand at the end of the table, with their counts alone."""
    _run(folder, monkeypatch, *TEXTS, *MODEL)
    assert [row["word"] for row in _rows(folder / "out.tsv")][2:] == ["falls", "nowhere"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Wrote the vectors of 'old.txt' in out.tsv.vectors/first.npz"
    columns = ["word", "first", "second", "apd", "cosine_distance", "jsd", "clusters"]
    assert printed[2].split() == columns
    assert printed[5].split() == ["falls", "1", "1", "-", "-", "-", "-"]
    assert printed[7:] == [
        "Wrote 4 words to out.tsv, sorted by cosine_distance.",
        "2 words without measures, with fewer than 3 occurrences in a corpus: falls, nowhere.",
    ]


def test_kept_vectors_need_no_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vectors of a run give its table again, and all their words need no list."""
    _run(folder, monkeypatch, *TEXTS, *MODEL)
    kept = [f"out.tsv.vectors/{name}.npz" for name in ("first", "second")]
    _run(folder, monkeypatch, *kept, "again.tsv")
    assert (folder / "again.tsv").read_bytes() == (folder / "out.tsv").read_bytes()
    assert not (folder / "again.tsv.vectors").exists()
    _run(folder, monkeypatch, kept[0], "new.txt", "mixed.tsv", "--targets", "words.txt", *MODEL)
    assert (folder / "mixed.tsv").read_bytes() == (folder / "out.tsv").read_bytes()


def test_a_file_of_elmo_serves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vectors that `allennlp elmo --targets` wrote give the same table."""
    for name in ("old", "new"):
        run_command(
            *(folder, monkeypatch, "elmo", f"{name}.txt", f"{name}.npz", "--top"),
            *("--targets", "words.txt", *MODEL),
        )
    _run(folder, monkeypatch, "old.npz", "new.npz", "a.tsv", "--targets", "words.txt")
    _run(folder, monkeypatch, *TEXTS, *MODEL)
    assert (folder / "a.tsv").read_bytes() == (folder / "out.tsv").read_bytes()


@pytest.mark.parametrize("num_windows, verbs", [(0, ["Wrote", "Wrote"]), (1, ["Kept", "Wrote"])])
def test_a_stopped_run_goes_on(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    num_windows: int,
    verbs: List[str],
) -> None:
    """With --resume a finished corpus is kept, and the table is that of a run without a stop."""
    _run(folder, monkeypatch, *TEXTS, *MODEL)
    expected = (folder / "out.tsv").read_bytes()
    for path in [*(folder / "out.tsv.vectors").iterdir(), folder / "out.tsv"]:
        path.unlink()
    with failing_after(num_windows), pytest.raises(SystemExit):
        _run(folder, monkeypatch, *TEXTS, *MODEL)
    assert "--resume to go on" in capsys.readouterr().err
    assert not (folder / "out.tsv").exists()
    _run(folder, monkeypatch, *TEXTS, *MODEL, "--resume")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:2]] == verbs
    assert (folder / "out.tsv").read_bytes() == expected


def test_vectors_of_something_else_are_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another layer, --resume is an error that says so; without it, the vectors are new."""
    _run(folder, monkeypatch, *TEXTS, *MODEL)
    before = (folder / "out.tsv").read_bytes()
    with pytest.raises(SystemExit, match="layers was 'top' and is 0"):
        _run(folder, monkeypatch, *TEXTS, *MODEL, "--layer", "0", "--resume")
    _run(folder, monkeypatch, *TEXTS, *MODEL, "--layer", "0")
    assert (folder / "out.tsv").read_bytes() != before


def test_both_corpora_start_from_one_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--warm-up input` the first sentences of FIRST warm up for both."""
    options = ("--model", "elmo", "--warm-up", "input")
    _run(folder, monkeypatch, "old.txt", "old.txt", *TEXTS[2:], *options)
    same = [float(row["cosine"]) for row in _rows(folder / "out.tsv")[:2]]
    assert same == [1.0, 1.0]
    settings = folder / "out.tsv.vectors"
    _run(folder, monkeypatch, *TEXTS, *options)
    warm_ups = {
        json.loads((settings / f"{name}.settings.json").read_text("utf-8"))["warm-up"]
        for name in ("first", "second")
    }
    assert len(warm_ups) == 1


def test_raw_text_is_tokenized(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences and tokens are found by spaCy's rules, as `allennlp elmo` finds them."""
    (folder / "raw.txt").write_text("The mouse. A mouse! My mouse?\n", encoding="utf-8")
    texts = ("raw.txt", "raw.txt", "out.jsonl", "--targets", "words.txt", "--tokenize", "en")
    _run(folder, monkeypatch, *texts, *MODEL)
    row = json.loads((folder / "out.jsonl").read_text("utf-8").splitlines()[0])
    assert (row["word"], row["first_occurrences"], row["apd"] is None) == ("mouse", 3, False)


def test_options_of_the_measures_arrive(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Each changes the table: what is clustered, how, what is rare, and the order."""
    _run(folder, monkeypatch, *TEXTS, *MODEL, "--min-occurrences", "1")
    kept = [f"out.tsv.vectors/{name}.npz" for name in ("first", "second")]
    assert len([row for row in _rows(folder / "out.tsv") if row["apd"]]) == 3
    _run(folder, monkeypatch, *kept, "b.tsv", "--max-occurrences", "2", "--seed", "5")
    assert {row["first_clustered"] for row in _rows(folder / "b.tsv")} == {"2", ""}
    for clustering in ("affinity", "kmeans"):
        _run(folder, monkeypatch, *kept, "c.tsv", "--clustering", clustering, "--sort-by", "jsd")
        values = [float(row["jsd"]) for row in _rows(folder / "c.tsv")[:2]]
        assert values == sorted(values, reverse=True)
    _run(folder, monkeypatch, *kept, "d.tsv", "--distance", "euclidean")
    assert _rows(folder / "d.tsv")[0]["apd"] != _rows(folder / "out.tsv")[0]["apd"]
    monkeypatch.setattr(clusters, "MAX_ITERATIONS", 1)
    capsys.readouterr()
    _run(folder, monkeypatch, *kept, "e.tsv", "--clustering", "affinity")
    assert "2 words without jsd, since affinity propagation did" in capsys.readouterr().out


def test_a_plot_is_drawn(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """By default with the word that changed most, or with words of one's choice."""
    pytest.importorskip("matplotlib")
    _run(folder, monkeypatch, *TEXTS, *MODEL, "--plot", "a.svg")
    assert capsys.readouterr().out.splitlines()[-1] == "Drew a.svg."
    plots = ("--plot", "b.svg", "--plot-word", "nowhere")
    with pytest.raises(SystemExit, match="a word to plot that occurs, got 'nowhere'"):
        _run(folder, monkeypatch, *TEXTS, *MODEL, *plots)
    _run(folder, monkeypatch, *TEXTS, *MODEL, *plots[:2], "--plot-word", "falls")
    assert (folder / "b.svg").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("old.txt", "new.txt", "out.tsv"), "Expected --targets, a file of words .* 'old.txt'"),
        (("old.txt", "-", "out.tsv"), "got - for standard input"),
        (("old.txt", "new.txt", "out.txt"), r"ends in one of \.tsv, \.csv, \.jsonl"),
        ((*TEXTS, "--plot", "x.jpg"), r"ends in one of \.svg"),
        ((*TEXTS, "--plot-word", "rain"), "--plot-word without --plot"),
        ((*TEXTS, "--min-occurrences", "0"), "min_occurrences to be 1 or more"),
        (("a.npz", "none.npz", "out.tsv"), r"none\.npz', but there is none"),
        (("a.npz", "a.npz", "o.tsv", "--targets", "words.txt"), "has none of them. .* those of x"),
        (("layers.npz", "layers.npz", "out.tsv"), r"'x' in the first corpus, .*\(3, 2, 4\)"),
    ],
    ids=["targets", "stdin", "ending", "plot", "word", "rare", "missing", "others", "layers"],
)
def test_errors_say_what_to_mend(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: List[str], message: str
) -> None:
    """Nothing is written then."""
    pytest.importorskip("matplotlib")
    numpy.savez(folder / "a.npz", x=numpy.eye(3))
    numpy.savez(folder / "layers.npz", x=numpy.ones((3, 2, 4)))
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit, match=message):
        _run(folder, monkeypatch, *arguments)
    assert sorted(folder.iterdir()) == before


def test_an_input_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table under the name of the list of targets is an error."""
    (folder / "words.txt").rename(folder / "words.tsv")
    with pytest.raises(SystemExit, match="would replace 'words.tsv'"):
        _run(folder, monkeypatch, "old.txt", "new.txt", "words.tsv", "--targets", "words.tsv")


def test_a_missing_matplotlib_is_noticed_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the extra, and no text was run."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match="extra 'plots'"):
        _run(folder, monkeypatch, *TEXTS, *MODEL, "--plot", "a.svg")
    assert not (folder / "out.tsv.vectors").exists()
