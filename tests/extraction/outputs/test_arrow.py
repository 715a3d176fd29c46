"""Arrow's arrays and Parquet's files."""

from typing import Any

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.outputs import arrow as arrow_module


def test_a_version_without_float16_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the versions that have it."""
    arrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")

    def write_table(*_: Any) -> None:
        raise arrow.ArrowNotImplementedError("Unhandled type: halffloat")

    monkeypatch.setattr(writer, "write_table", write_table)
    with pytest.raises(ConfigurationError, match="halffloat.*Install 15 or later"):
        arrow_module.require_float16(arrow, "float16")


def test_a_sentence_too_long_for_arrow_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lists count with 31 bits."""
    arrow = pytest.importorskip("pyarrow")
    monkeypatch.setattr(arrow_module, "MAX_NUMBERS", 10)
    with pytest.raises(ConfigurationError, match="Split the sentence"):
        arrow_module.nested_lists(arrow, [numpy.zeros((3, 4), "float32")])
