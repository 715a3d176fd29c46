"""The files of TensorBoard's projector, read by the rules of its plugin."""

import os
import re
from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.look import projector
from allennlp_elmo_plugin.look.projector import write_projector

VECTORS = numpy.random.default_rng(5).standard_normal((3, 2, 4)).astype("float32")
LABELS: Dict[str, List[Any]] = {"word": ["a", "caf\u00e9", "\u96e8"], "position": [2, 0, 11]}
# White space of JavaScript, by which the projector trims lines.
BLANKS = "\t\n\v\f\r \u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def _entries(folder: Path) -> List[Dict[str, Any]]:
    """Returns the tensors of the config."""
    text = (folder / "projector_config.pbtxt").read_text(encoding="ascii")
    found = []
    for entry in re.findall(r"^embeddings \{\n(.*?)^\}\n", text, re.MULTILINE | re.DOTALL):
        fields = dict(re.findall(r'^  (\w+): "(.*)"$', entry, re.MULTILINE))
        shape = map(int, re.findall(r"^  tensor_shape: (\d+)$", entry, re.MULTILINE))
        found.append({**fields, "shape": tuple(shape)})
    return found


def _tensor(path: Path) -> numpy.ndarray:
    """Reads a tensor as the plugin does: lines of numbers with tabs between them."""
    lines = path.read_bytes().decode("utf-8").split("\n")
    return numpy.array([list(map(float, line.split("\t"))) for line in lines if line], "float32")


def _rows(folder: Path) -> List[List[str]]:
    """Reads the labels as the projector does: it drops lines of white space."""
    lines = (folder / "metadata.tsv").read_bytes().decode("utf-8").split("\n")
    return [line.split("\t") for line in lines if line.strip(BLANKS)]


def test_each_layer_is_a_tensor(tmp_path: Path) -> None:
    """Layers have tensors of their own, and all of them the same labels."""
    write_projector(tmp_path / "new", VECTORS, LABELS)
    first, second = _entries(tmp_path / "new")
    assert (first["tensor_name"], second["tensor_name"]) == ("layer_0", "layer_1")
    for layer, entry in enumerate((first, second)):
        assert entry["shape"] == (3, 4) and entry["metadata_path"] == "metadata.tsv"
        tensor = _tensor(tmp_path / "new" / entry["tensor_path"])
        assert numpy.allclose(tensor, VECTORS[:, layer], rtol=1e-5, atol=0)
    assert _rows(tmp_path / "new") == [
        ["word", "position"],
        ["a", "2"],
        ["caf\u00e9", "0"],
        ["\u96e8", "11"],
    ]


def test_vectors_without_layers_are_one_tensor(tmp_path: Path) -> None:
    """It has the name "vectors"."""
    write_projector(tmp_path, VECTORS[:, 0], LABELS)
    (entry,) = _entries(tmp_path)
    assert entry["tensor_name"] == "vectors" and entry["shape"] == (3, 4)
    assert numpy.allclose(_tensor(tmp_path / "vectors.tsv"), VECTORS[:, 0], rtol=1e-5, atol=0)


def test_a_single_column_has_no_heading(tmp_path: Path) -> None:
    """The projector would take the name of the only column for a label."""
    write_projector(tmp_path, VECTORS, {"word": LABELS["word"]})
    assert _rows(tmp_path) == [["a"], ["caf\u00e9"], ["\u96e8"]]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.text(), st.text()), min_size=2, max_size=5))
def test_no_label_moves_another(
    tmp_path_factory: pytest.TempPathFactory, labels: List[List[str]]
) -> None:
    """Whatever the labels are, each point has a line with all columns."""
    folder = tmp_path_factory.mktemp("projector")
    first, second = zip(*labels)
    vectors = numpy.ones((len(labels), 2), "float32")
    write_projector(folder, vectors, {"word": first, "sentence": second})
    rows = _rows(folder)
    assert len(rows) == 1 + len(labels)
    assert all(len(row) == 2 and all(column.strip(BLANKS) for column in row) for row in rows)


@pytest.mark.parametrize(
    "label, shown",
    [
        ("two\twords", "two words"),
        (" a\r\n\u2028b ", "a b"),
        ("", "\u2423"),
        ("\ufeff", "\u2423"),
        ("\x00", "\u2423"),
        ("\ud83d", "?"),
    ],
)
def test_white_space_is_harmless(tmp_path: Path, label: str, shown: str) -> None:
    """Tabs and line breaks become spaces, and an empty label a sign for one."""
    write_projector(tmp_path, VECTORS[:2], {"word": [label, "b"], "position": [1, 2]})
    assert _rows(tmp_path)[1:] == [[shown, "1"], ["b", "2"]]


@pytest.mark.parametrize(
    "vectors, labels, message",
    [
        (VECTORS[:0], {"word": []}, "two or more points and numbers, got shape (0, 2, 4)"),
        (VECTORS[:1], {"word": ["a"]}, "got shape (1, 2, 4)"),
        (VECTORS[:, 0, :1], LABELS, "got shape (3, 1)"),
        (VECTORS[0, 0], LABELS, "got shape (4,)"),
        (VECTORS, {}, "Expected a column of labels"),
        (VECTORS[:2], LABELS, "Expected 2 labels in the column 'word'"),
        (numpy.full((3, 2), numpy.nan), LABELS, "Expected finite numbers"),
    ],
)
def test_what_cannot_be_shown_is_an_error(
    tmp_path: Path, vectors: numpy.ndarray, labels: Dict[str, List[Any]], message: str
) -> None:
    """The error says what was found, and no file appears."""
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        write_projector(tmp_path / "new", vectors, labels)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a projector appear together or not at all."""
    write_projector(tmp_path, VECTORS, LABELS)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    written: List[str] = []

    def fail(file: Any, *arguments: Any) -> None:
        written.append(file.name)
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(projector.numpy, "savetxt", fail)
    with pytest.raises(OSError, match="No space left"):
        write_projector(tmp_path, 2 * VECTORS, LABELS)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
