"""Files of vectors."""

from pathlib import Path

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.senses.vector_file import VectorFile, is_vector_file


@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed])
def test_a_file_is_a_mapping(tmp_path: Path, save: object) -> None:
    """Plain and compressed files give their words in order, and the arrays as they are."""
    arrays = {"b": numpy.eye(3, dtype=numpy.float16), "a": numpy.empty((0, 3))}
    save(tmp_path / "x.npz", **arrays)  # type: ignore[operator]
    found = VectorFile(tmp_path / "x.npz")
    assert list(found) == ["b", "a"] and len(found) == 2
    assert all((found[word] == array).all() for word, array in arrays.items())
    assert found["b"].dtype == numpy.float16
    assert found.get("c") is None and "c" not in found


def test_other_files_are_errors(tmp_path: Path) -> None:
    """A missing file, a text and a single array are each named."""
    (tmp_path / "text.npz").write_text("no zip\n", encoding="utf-8")
    with open(tmp_path / "array.npz", "wb") as file:
        numpy.save(file, numpy.eye(2))
    with pytest.raises(ConfigurationError, match=r"missing\.npz', but there is none"):
        VectorFile(tmp_path / "missing.npz")
    for name in ("text", "array"):
        with pytest.raises(ConfigurationError, match=rf"{name}\.npz', but it cannot be read"):
            VectorFile(tmp_path / f"{name}.npz")


def test_a_damaged_array_is_an_error(tmp_path: Path) -> None:
    """So is one of Python objects, which could run anything."""
    path = tmp_path / "x.npz"
    numpy.savez(path, damaged=numpy.full((50, 3), 1.5), objects=numpy.array([None, "x"]))
    content = path.read_bytes()
    at = content.index(numpy.full(3, 1.5).tobytes())
    path.write_bytes(content[:at] + b"\1" + content[at + 1 :])
    for word in ("damaged", "objects"):
        with pytest.raises(ConfigurationError, match=rf"'{word}' in .*x\.npz"):
            VectorFile(path)[word]


def test_the_ending_tells_the_kind() -> None:
    """A name in capitals counts too."""
    assert is_vector_file("a.NPZ") and is_vector_file(Path("b.npz"))
    assert not is_vector_file("npz.txt")
