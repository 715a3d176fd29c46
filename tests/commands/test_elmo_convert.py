"""The command `allennlp elmo-convert`."""

import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from allennlp.commands import main

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.weights import write_softmax
from tests.support.elmo_files import write_elmo_files


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Runs the command in this process, in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["allennlp", "elmo-convert", *arguments])
    # The plugin is loaded already, and others are not tested here.
    monkeypatch.setattr("allennlp.commands.import_plugins", lambda: None)
    main()


def test_the_command_writes_a_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """It reads a model that comes with the plugin, and says what it wrote."""
    _run(tmp_path, monkeypatch, "pretrained:small", "elmo.zip")
    assert capsys.readouterr().out == "Wrote the biLM of pretrained:small to elmo.zip\n"
    with ZipFile(tmp_path / "elmo.zip") as archive:
        assert archive.namelist() == ["meta.json", "options.json", "model.hdf5"]


def test_every_option_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The two files of a model, its vocabulary and its softmax."""
    files = write_elmo_files(tmp_path / "elmo")
    Path(files.weight_file).rename(tmp_path / "apart.hdf5")
    (tmp_path / "words.txt").write_text("<S>\n</S>\n<UNK>\n", encoding="utf-8")
    write_softmax(tmp_path / "rows.hdf5", torch.zeros(3, 8), torch.zeros(3))
    _run(
        *(tmp_path, monkeypatch, "elmo/options.json", "out", "--weight-file", "apart.hdf5"),
        *("--vocabulary", "words.txt", "--softmax", "rows.hdf5"),
    )
    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert names == ["options.json", "softmax.hdf5", "vocabulary.txt", "weights.hdf5"]
    found = ElmoBilm.from_files(tmp_path / "out", tmp_path / "out").state_dict()
    expected = ElmoBilm.from_files(files.options_file, tmp_path / "apart.hdf5").state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert "Wrote the biLM of elmo/options.json to out" in capsys.readouterr().out


def test_a_module_is_for_trained_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name reaches the loader, which refuses it for a biLM of its own."""
    write_elmo_files(tmp_path / "elmo")
    with pytest.raises(SystemExit, match="Got the module 'some.module'"):
        _run(tmp_path, monkeypatch, "elmo", "out", "--module", "some.module")
    assert not (tmp_path / "out").exists()
