"""The two files of the occurrences of target words."""

import io
import json
import zipfile
from pathlib import Path
from typing import Tuple

import numpy
import pytest

from allennlp_elmo_plugin.extraction import occurrences as occurrences_module
from allennlp_elmo_plugin.extraction.occurrences import Occurrences


@pytest.mark.parametrize("num_chunk_bytes", [1, 100, 8 << 20])
@pytest.mark.parametrize("row_shape, dtype", [((7,), "float32"), ((3, 5), "float16")])
def test_arrays_are_those_of_numpy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    num_chunk_bytes: int,
    row_shape: Tuple[int, ...],
    dtype: str,
) -> None:
    """To the byte, however many vectors are read at a time."""
    monkeypatch.setattr(occurrences_module, "NUM_CHUNK_BYTES", num_chunk_bytes)
    vectors = numpy.random.default_rng(0).standard_normal((20, *row_shape)).astype(dtype)
    order = [0, 1, 1, 0, 1] * 4
    occurrences = Occurrences(["a", "b", "nowhere"])
    for number, word in enumerate(order):
        occurrences.add("ab"[word], f"key {number}", number % 3)
    occurrences.write(tmp_path / "bank.npz", io.BytesIO(vectors.tobytes()), row_shape, dtype)

    with zipfile.ZipFile(tmp_path / "bank.npz") as archive:
        assert archive.namelist() == ["a.npy", "b.npy", "nowhere.npy"]
        for word, name in enumerate(archive.namelist()):
            expected = io.BytesIO()
            numpy.save(expected, vectors[numpy.array(order) == word])
            assert archive.read(name) == expected.getvalue()
    places = json.loads((tmp_path / "bank.json").read_text(encoding="utf-8"))
    assert places["a"][:2] == [["key 0", 0], ["key 3", 0]]
    assert [len(each) for each in places.values()] == [8, 12, 0]
