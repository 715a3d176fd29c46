"""The command `allennlp elmo-convert`."""

import shutil
from pathlib import Path
from typing import List
from zipfile import ZipFile

import numpy
import pytest
import torch
from allennlp.common import file_utils

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.weights import read_softmax, write_softmax
from allennlp_elmo_plugin.weights.many_langs import options as many_langs_options
from tests.support.elmo_command import CommandFolder, read_hdf5
from tests.support.elmo_files import write_elmo_files
from tests.support.layouts import LAYOUTS
from tests.support.many_langs_files import CASES, write_many_langs
from tests.support.run_command import run_command
from tests.support.tensorflow_bundle import TENSORFLOW_DATA
from tests.support.tensorflow_cases import CASES as TENSORFLOW_CASES


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    run_command(folder, monkeypatch, "elmo-convert", *arguments)


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


def _vectors(model: Path) -> List[numpy.ndarray]:
    """All layers that `allennlp elmo` writes for a few sentences."""
    folder = CommandFolder(model.parent)
    folder.write("in.txt", "the rain caf\u00e9 \u96e8\noverlongwordsandmore\n")
    folder.run("in.txt", "out.hdf5", model=model.name)
    return list(read_hdf5(model.parent / "out.hdf5").values())


@pytest.mark.parametrize("name", ["ELMoForManyLangs", "NLPL 1.1", "bilm-tf", "TF-Hub"])
def test_other_formats_are_embedded_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The command `allennlp elmo` gives the same vectors, to the bit, for the converted folder."""
    monkeypatch.setattr(many_langs_options, "SHIPPED", CASES["plain"].config)
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))
    model = Path(LAYOUTS[name](tmp_path).weights)
    _run(tmp_path, monkeypatch, model.name, "converted")
    names = sorted(each.name for each in (tmp_path / "converted").iterdir())
    assert names == ["options.json", "weights.hdf5"]
    found, expected = (_vectors(path) for path in (tmp_path / "converted", model))
    assert len(found) == 2
    for one, other in zip(found, expected):
        assert one.tobytes() == other.tobytes()


def test_elmoformanylangs_is_no_zip_of_nlpl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what simple_elmo cannot read, and what can be written instead."""
    write_many_langs(tmp_path / "model")
    with pytest.raises(SystemExit, match=r"'dictionary' beside its character CNN.*without '\.zip'"):
        _run(tmp_path, monkeypatch, "model", "out.zip")
    assert not (tmp_path / "out.zip").exists()


SOFTMAX = ["--softmax", "trained/model.ckpt-12.index"]


@pytest.mark.parametrize(
    "model, arguments",
    [
        ("trained", SOFTMAX),
        ("trained", []),
        ("trained/model.ckpt-12", []),
        ("trained/options.json", ["--weight-file", "trained/model.ckpt-12.index"]),
        ("elsewhere", SOFTMAX),
    ],
    ids=["named", "own", "prefix", "two files", "of another folder"],
)
def test_the_softmax_of_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, arguments: List[str]
) -> None:
    """With a vocabulary, the softmax need not be named where the model is the checkpoint."""
    shutil.copytree(TENSORFLOW_DATA / "trained", tmp_path / "trained")
    case = TENSORFLOW_CASES["trained/model.ckpt-12"]
    write_elmo_files(tmp_path / "elsewhere", case.options, case.datasets)
    words = ["<S>", "</S>", "<UNK>", "a", "b", "c", "d"]
    (tmp_path / "words.txt").write_text("\n".join(words), encoding="utf-8")
    _run(tmp_path, monkeypatch, model, "out", "--vocabulary", "words.txt", *arguments)
    for found, name in zip(read_softmax(tmp_path / "out" / "softmax.hdf5", 7, 3), "Wb"):
        assert found.numpy().tobytes() == case.variables[f"lm/softmax/{name}"].tobytes()
    assert (tmp_path / "out" / "vocabulary.txt").read_text("utf-8").split() == words


def test_a_module_of_tf_hub_has_no_softmax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vocabulary is written alone."""
    (tmp_path / "words.txt").write_text("<S>\n</S>\n<UNK>\n", encoding="utf-8")
    hub = str(TENSORFLOW_DATA / "hub")
    _run(tmp_path, monkeypatch, hub, "out", "--vocabulary", "words.txt")
    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert names == ["options.json", "vocabulary.txt", "weights.hdf5"]
