"""The command `allennlp elmo-look`."""

import json
import re
from pathlib import Path
from typing import Any, Dict
from unittest.mock import Mock

import pytest

from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.look import figure
from tests.support.look_pages import write_language_model
from tests.support.run_command import run_command

FIRST = "the coach stops .\nthe rain stops .\nthe coach is red .\n"
SECOND = "the coach stops the rain .\nno coach .\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small language model and two texts."""
    (tmp_path / "lm").mkdir()
    write_language_model(tmp_path / "lm")
    (tmp_path / "first.txt").write_text(FIRST, encoding="utf-8")
    (tmp_path / "second.txt").write_text(SECOND, encoding="utf-8")
    return tmp_path


def data_of(path: Path) -> Dict[str, Any]:
    """Returns the data of a page."""
    html = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    data: Dict[str, Any] = json.loads(found)
    return data


PLAIN = ("--plane", "none", "--neighbours", "3")


def test_a_page_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page has both periods under their names, and the command says how large it is."""
    arguments = ["lm", "first.txt", "page.html", "--second", "second.txt", "--names", "old", "new"]
    run_command(folder, monkeypatch, "elmo-look", *arguments, *PLAIN)
    data = data_of(folder / "page.html")
    tokens = (FIRST + SECOND).split()
    assert [data["words"][number] for number in data["tokens"]] == tokens
    assert data["names"] == ["old", "new"] and data["periodStarts"] == [0, 3, 5]
    assert len(data["scores"]["surprisal"][0]) == len(tokens)
    assert len(data["substitutes"]["by"]) == 3 and data["topn"] == 3
    assert "Wrote 5 sentences with 22 tokens and 0 planes to page.html" in capsys.readouterr().out


def test_names_are_those_of_the_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text without a name has that of its file, without the folder."""
    text = str(folder / "first.txt")
    run_command(folder, monkeypatch, "elmo-look", "lm", text, "page.html", *PLAIN)
    assert data_of(folder / "page.html")["names"] == ["first.txt"]
    assert str(folder) not in (folder / "page.html").read_text(encoding="utf-8")


def test_a_model_without_a_softmax_is_enough(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page has neighbours alone, and the command says so."""
    (folder / "lm" / "softmax.hdf5").unlink()
    (folder / "lm" / "vocab.txt").unlink()
    run_command(folder, monkeypatch, "elmo-look", "lm", "first.txt", "page.html", *PLAIN)
    data = data_of(folder / "page.html")
    assert data["scores"] is None and len(data["contexts"]) == 3
    assert "'lm' has no softmax" in capsys.readouterr().out


def test_the_model_is_loaded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of a model without a softmax are read a single time."""
    (folder / "lm" / "softmax.hdf5").unlink()
    (folder / "lm" / "vocab.txt").unlink()
    loaded = Mock(wraps=load_elmo)
    for module in ("commands.elmo_look", "scoring.language_model"):
        monkeypatch.setattr(f"allennlp_elmo_plugin.{module}.load_elmo", loaded)
    run_command(folder, monkeypatch, "elmo-look", "lm", "first.txt", "page.html", *PLAIN)
    assert loaded.call_count == 1


def test_the_text_warms_the_model_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word input stands for the first sentences of the text."""
    arguments = ["lm", "first.txt"]
    run_command(folder, monkeypatch, "elmo-look", *arguments, "own.html", *PLAIN)
    for name, warm_up in (("named.html", "first.txt"), ("input.html", "input")):
        warm = ["--warm-up", warm_up]
        run_command(folder, monkeypatch, "elmo-look", *arguments, name, *PLAIN, *warm)
    pages = {name: data_of(folder / f"{name}.html") for name in ("own", "named", "input")}
    assert pages["input"] == pages["named"] != pages["own"]


def test_a_long_text_is_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two periods have half of the tokens each, and what is left out is counted."""
    arguments = ["lm", "first.txt", "page.html", "--second", "second.txt"]
    arguments += ["--max-tokens-shown", "19"]
    run_command(folder, monkeypatch, "elmo-look", *arguments, *PLAIN)
    assert data_of(folder / "page.html")["sentenceStarts"] == [0, 4, 8, 14, 17]
    assert "Left out the last 1 sentence of the text." in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--max-tokens-shown", "0"], "--max-tokens-shown and --neighbours to be at least 1"),
        (["--names", "a", "b"], "got 2 for 1: a, b"),
        (["--max-tokens-shown", "3"], "at most 3 tokens"),
        (["--softmax", "missing.hdf5"], "missing.hdf5"),
        (["--initial-state", "carry"], "Choose warm or zero"),
    ],
)
def test_faults_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, message: str
) -> None:
    """The program ends with a message, and no page is written."""
    with pytest.raises(SystemExit, match=message):
        run_command(
            folder, monkeypatch, "elmo-look", "lm", "first.txt", "page.html", *PLAIN, *arguments
        )
    assert not (folder / "page.html").exists()


def test_no_input_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is none of the texts."""
    with pytest.raises(SystemExit, match=r"would replace 'second.txt'"):
        arguments = ["lm", "first.txt", "second.txt", "--second", "second.txt"]
        run_command(folder, monkeypatch, "elmo-look", *arguments, *PLAIN)
    assert (folder / "second.txt").read_text(encoding="utf-8") == SECOND


@pytest.mark.skipif(not figure.is_installed(), reason="Bokeh is not installed")
def test_words_of_a_file_have_planes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the words of the file have planes."""
    (folder / "words.txt").write_text("coach\n\nthe\n", encoding="utf-8")
    arguments = ["lm", "first.txt", "page.html", "--second", "second.txt", "--words", "words.txt"]
    run_command(folder, monkeypatch, "elmo-look", *arguments, "--neighbours", "3")
    data = data_of(folder / "page.html")
    assert sorted(data["words"][int(number)] for number in data["planes"]) == ["coach", "the"]
