"""Parquet files."""

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.outputs import table
from tests.extraction.outputs.corpora import make_corpus, write


def test_rows_have_tokens_and_nested_lists(tmp_path: Path) -> None:
    """The levels are the layers, the tokens and the numbers; rows may be of many batches."""
    reader = pytest.importorskip("pyarrow.parquet")
    corpus = make_corpus(30)
    write(tmp_path / "vectors.parquet", corpus, 4)
    rows = reader.read_table(tmp_path / "vectors.parquet").to_pylist()
    assert [row["tokens"] for row in rows] == [each.tokens for each in corpus.sentences]
    for row, vectors in zip(rows, corpus.vectors):
        assert row["vectors"] == vectors.tolist()


def test_batches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows do not wait in memory for a commit."""
    reader = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(table, "NUM_BATCH_BYTES", 1000)
    corpus = make_corpus(30)
    write(tmp_path / "vectors.parquet", corpus, 1000)
    file = reader.ParquetFile(tmp_path / "vectors.parquet")
    assert file.num_row_groups > 5 and file.metadata.num_rows == 30


def test_a_missing_package_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    real_import = builtins.__import__

    def import_other(name: str, *args: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError("No module named 'pyarrow'")
        return real_import(name, *args)

    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", import_other)
    with pytest.raises(ConfigurationError, match=r"pip install 'allennlp_elmo_plugin\[parquet\]'"):
        write(tmp_path / "vectors.parquet", make_corpus(1))
