"""Converting models from one layout to another."""

import shutil
from pathlib import Path
from typing import Any, List

import h5py
import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import _ElmoBiLm as BuiltInBilm
from allennlp.modules.elmo import batch_to_ids as built_in_batch_to_ids

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.compat import convert
from allennlp_elmo_plugin.compat.convert import convert_model
from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.weights import read_softmax, write_softmax
from tests.support.elmo_files import ElmoFiles, elmo_arrays, elmo_options, write_elmo_files
from tests.support.tagger_experiment import tagger, train

WORDS = ["<S>", "</S>", "<UNK>", "caf\u00e9"]


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> ElmoFiles:
    return write_elmo_files(tmp_path / "elmo", seed=4)


@pytest.fixture(name="parts")
def _parts(tmp_path: Path) -> List[Path]:
    """A vocabulary, and the softmax that belongs to it."""
    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    weight, bias = torch.arange(32.0).view(4, 8), torch.arange(4.0)
    write_softmax(tmp_path / "rows.hdf5", weight, bias)
    return [tmp_path / "words.txt", tmp_path / "rows.hdf5"]


def _weights(*files: Any) -> Any:
    return ElmoBilm.from_files(*files).state_dict()


def _assert_equal(found: Any, expected: Any) -> None:
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("way", ["folder", "two files", "tar", "zip and back"])
def test_a_folder_has_the_files_of_bilm_tf(tmp_path: Path, files: ElmoFiles, way: str) -> None:
    """The datasets are those of the source, whatever its layout."""
    model: Any = tmp_path / "elmo"
    weight_file = None
    if way == "two files":
        model, weight_file = files
    elif way == "tar":
        model = shutil.make_archive(str(tmp_path / "elmo"), "gztar", tmp_path / "elmo")
    elif way == "zip and back":
        convert_model(model, tmp_path / "elmo.zip")
        model = tmp_path / "elmo.zip"
    convert_model(model, tmp_path / "converted", weight_file)
    names = sorted(each.name for each in (tmp_path / "converted").iterdir())
    assert names == ["options.json", "weights.hdf5"]
    with h5py.File(tmp_path / "converted" / "weights.hdf5", "r") as file:
        for name, array in elmo_arrays(elmo_options(), seed=4).items():
            # The bias of the forget gate loses its last bits when 1 is added and subtracted.
            numpy.testing.assert_allclose(file[name][()], array, rtol=0, atol=2e-7)


def test_allennlp_reads_the_folder(tmp_path: Path, files: ElmoFiles) -> None:
    """The built-in gives the same layers as with the files that were converted."""
    convert_model(tmp_path / "elmo", tmp_path / "converted")
    converted = [str(tmp_path / "converted" / name) for name in ("options.json", "weights.hdf5")]
    ids = built_in_batch_to_ids([["The", "rain"], ["caf\u00e9"]])
    found, expected = (BuiltInBilm(*each)(ids)["activations"] for each in (converted, files))
    for one, other in zip(found, expected):
        numpy.testing.assert_allclose(one.detach(), other.detach(), rtol=0, atol=1e-6)


def test_vocabulary_and_softmax_are_written_with_the_folder(
    tmp_path: Path, files: ElmoFiles, parts: List[Path]
) -> None:
    """They have the names that `elmo-export` gives them."""
    convert_model(tmp_path / "elmo", tmp_path / "a" / "converted", None, None, *parts)
    folder = tmp_path / "a" / "converted"
    assert (folder / "vocabulary.txt").read_text("utf-8").split() == WORDS
    rows = zip(read_softmax(folder / "softmax.hdf5", 4, 8), read_softmax(parts[1], 4, 8))
    assert all(torch.equal(one, other) for one, other in rows)
    # A softmax is no weights of the biLM, so the folder stays a model.
    _assert_equal(_weights(folder, folder), _weights(*files))


def test_a_trained_model_is_converted_as_it_is_after_training(tmp_path: Path) -> None:
    """The weights of the archive differ from those that the training started with."""
    train(tagger(tmp_path, requires_grad=True), tmp_path / "run")
    before = _weights(tmp_path / "elmo", tmp_path / "elmo")
    convert_model(tmp_path / "run" / "model.tar.gz", tmp_path / "converted")
    found = _weights(tmp_path / "converted", tmp_path / "converted")
    trained = torch.load(tmp_path / "run" / "best.th")
    for name, weight in found.items():
        (expected,) = [each for key, each in trained.items() if key.endswith(f".{name}")]
        # The bias of the forget gate loses its last bits when 1 is subtracted and added.
        assert (weight - expected).abs().max() < 2e-7
    assert any((found[name] - before[name]).abs().max() > 1e-3 for name in found)


@pytest.mark.parametrize(
    "output, names, expected",
    [
        ("out.zip", ["vocabulary", "softmax"], "no place for one"),
        ("out", ["softmax"], "without the vocabulary"),
        ("no/out.zip", [], "an existing folder for the output"),
        ("elmo", [], "would replace '.*elmo', which is read"),
        ("words.txt.zip", ["vocabulary"], "would replace '.*words.txt.zip', which is read"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path,
    files: ElmoFiles,
    parts: List[Path],
    output: str,
    names: Any,
    expected: str,
) -> None:
    """Nothing is written then."""
    words, rows = parts
    if output.startswith("words"):
        words = words.rename(tmp_path / output)
    there = sorted(tmp_path.rglob("*"))
    given = {"vocabulary": words, "softmax": rows}
    with pytest.raises(ConfigurationError, match=expected):
        convert_model(
            *(tmp_path / "elmo", tmp_path / output), **{name: given[name] for name in names}
        )
    assert sorted(tmp_path.rglob("*")) == there


def test_a_softmax_of_another_vocabulary_is_an_error(
    tmp_path: Path, files: ElmoFiles, parts: List[Path]
) -> None:
    """The folder that is there stays as it was."""
    convert_model(tmp_path / "elmo", tmp_path / "converted")
    parts[0].write_text("\n".join(WORDS[:3]) + "\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="does not fit the vocabulary"):
        convert_model(tmp_path / "elmo", tmp_path / "converted", None, None, *parts)
    names = sorted(each.name for each in (tmp_path / "converted").iterdir())
    assert names == ["options.json", "weights.hdf5"]


def test_a_rounded_model_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names the model, as for `elmo-export`. Only a trained model can be a rounded one."""
    sizes: Any = {"filters": [(1, 16), (2, 16)], "projection_dim": 16, "cell_size": 32}
    files = write_elmo_files(tmp_path / "elmo", elmo_options(**sizes))
    rounded = load_elmo(*files, precision="bfloat16")
    monkeypatch.setattr(convert, "load_elmo", lambda *model, **options: rounded)
    convert_model("model.tar.gz", tmp_path / "elmo.zip")
    assert "'model.tar.gz' has the precision 'bfloat16'" in caplog.text


def test_the_options_of_a_checkpoint_are_not_replaced(tmp_path: Path, files: ElmoFiles) -> None:
    """A folder that holds a checkpoint is refused, and stays as it was."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.ckpt-12.index").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"model\.ckpt-12\.index.*Name another folder"):
        convert_model(tmp_path / "elmo", folder)
    assert [path.name for path in folder.iterdir()] == ["model.ckpt-12.index"]
