"""The choice of a format by the ending of a name."""

from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.outputs.by_ending import output_by_ending
from allennlp_elmo_plugin.extraction.outputs.hdf5 import Hdf5Output
from allennlp_elmo_plugin.extraction.outputs.jsonl import JsonLinesOutput
from allennlp_elmo_plugin.extraction.outputs.npy import NpyOutput
from allennlp_elmo_plugin.extraction.outputs.npz import NpzOutput
from allennlp_elmo_plugin.extraction.outputs.parquet import ParquetOutput


@pytest.mark.parametrize(
    "name, expected",
    [
        ("vectors.hdf5", Hdf5Output),
        ("vectors.h5", Hdf5Output),
        ("VECTORS.HDF5", Hdf5Output),
        ("vectors.npz", NpzOutput),
        ("vectors.hdf5.npy", NpyOutput),
        ("vectors.parquet", ParquetOutput),
        ("vectors.jsonl", JsonLinesOutput),
    ],
)
def test_the_ending_decides(name: str, expected: type) -> None:
    """Capitals are no difference."""
    assert output_by_ending(Path(name)) is expected


@pytest.mark.parametrize("name", ["vectors", "vectors.txt", ".npy", "vectors.json"])
def test_another_ending_is_an_error(name: str) -> None:
    """The error lists those that there are."""
    endings = r"\.hdf5, \.h5, \.npz, \.npy, \.parquet, \.jsonl"
    with pytest.raises(ConfigurationError, match=endings):
        output_by_ending(Path(name))
