"""Zip files in the layout of the NLPL repository."""

import json
from pathlib import Path
from typing import Any, Dict
from zipfile import ZipFile

import numpy
import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import _ElmoBiLm as BuiltInBilm
from allennlp.modules.elmo import batch_to_ids as built_in_batch_to_ids

from allennlp_elmo_plugin import BilmVocabulary, ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.compat.nlpl import write_nlpl_zip
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files

SHAPE: Dict[str, Any] = {
    "filters": ((1, 4), (2, 6)),
    "projection_dim": 4,
    "cell_size": 6,
    "num_layers": 1,
}


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> ElmoFiles:
    return write_elmo_files(tmp_path / "elmo", seed=4)


@pytest.fixture(name="vocabulary")
def _vocabulary(tmp_path: Path) -> BilmVocabulary:
    path = tmp_path / "words.txt"
    path.write_text("<S>\n</S>\n<UNK>\ncaf\u00e9\n", encoding="utf-8")
    return BilmVocabulary.from_vocabulary_file(str(path))


def test_allennlp_reads_what_is_extracted(tmp_path: Path, files: ElmoFiles) -> None:
    """The built-in gives the same layers as with the files that were converted."""
    write_nlpl_zip(tmp_path / "elmo.zip", ElmoBilm.from_files(*files))
    with ZipFile(tmp_path / "elmo.zip") as archive:
        archive.extractall(tmp_path / "extracted")
    ids = built_in_batch_to_ids([["The", "rain"], ["caf\u00e9"]])
    extracted = [str(tmp_path / "extracted" / name) for name in ("options.json", "model.hdf5")]
    found, expected = (BuiltInBilm(*each)(ids)["activations"] for each in (extracted, files))
    for one, other in zip(found, expected):
        numpy.testing.assert_allclose(one.detach(), other.detach(), rtol=0, atol=1e-6)


def test_a_zip_has_the_files_of_the_layout(
    tmp_path: Path, files: ElmoFiles, vocabulary: BilmVocabulary
) -> None:
    """They lie at the top level, and `meta.json` lists the others."""
    write_nlpl_zip(tmp_path / "elmo.zip", ElmoBilm.from_files(*files), vocabulary)
    with ZipFile(tmp_path / "elmo.zip") as archive:
        names = archive.namelist()
        meta = json.loads(archive.read("meta.json"))
        assert json.loads(archive.read("options.json")) == elmo_options()
        assert archive.read("vocab.txt").decode() == "<S>\n</S>\n<UNK>\ncaf\u00e9\n"
        assert archive.testzip() is None
    assert names == ["meta.json", "options.json", "model.hdf5", "vocab.txt"]
    assert [each["filename"] for each in meta["contents"]] == names[1:]
    assert (meta["dimensions"], meta["vocabulary size"]) == (16, 4)


def test_equal_models_are_equal_files(
    tmp_path: Path, files: ElmoFiles, vocabulary: BilmVocabulary
) -> None:
    """No time of day and no path gets into a zip."""
    (tmp_path / "other").mkdir()
    paths = tmp_path / "elmo.zip", tmp_path / "other" / "other.zip"
    for path in paths:
        write_nlpl_zip(path, ElmoBilm.from_files(*files), vocabulary)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_failed_write_leaves_the_old_zip(
    tmp_path: Path, files: ElmoFiles, vocabulary: BilmVocabulary
) -> None:
    """A word that the vocabulary file cannot hold comes after the weights were written."""
    path = tmp_path / "elmo.zip"
    path.write_bytes(b"old")
    vocabulary.add_token_to_namespace("two\nlines")
    with pytest.raises(ConfigurationError, match="Line breaks"):
        write_nlpl_zip(path, ElmoBilm.from_files(*files), vocabulary)
    assert path.read_bytes() == b"old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["elmo", "elmo.zip", "words.txt"]


class _OptionsWithWords(ElmoOptions):
    """Options of a network that is no biLM of bilm-tf."""

    def to_dict(self) -> Dict[str, Any]:
        return {**super().to_dict(), "dictionary": {}}


@pytest.mark.parametrize(
    "options, expected",
    [
        (ElmoOptions(**{**SHAPE, "cell_size": 4}), "project cells of size 4 to 4"),
        (ElmoOptions(**{**SHAPE, "filters": ((1, 4),)}), "projects 4 filters to 4"),
        (ElmoOptions(**{**SHAPE, "filters": ((1, 3),)}), "projects 3 filters to 4"),
        (ElmoOptions(**{**SHAPE, "num_layers": 9}), "9 layers, more than 8"),
        (_OptionsWithWords(**SHAPE), "'dictionary' beside its character CNN.*ELMoForManyLangs"),
    ],
)
def test_a_model_that_simple_elmo_cannot_run_is_refused(
    tmp_path: Path, options: ElmoOptions, expected: str
) -> None:
    """The error says why, and what can be written instead."""
    bilm = ElmoBilm(ElmoOptions(**SHAPE))
    bilm.options = options
    with pytest.raises(ConfigurationError, match=f"{expected}.*Write a folder instead"):
        write_nlpl_zip(tmp_path / "elmo.zip", bilm)
    assert list(tmp_path.iterdir()) == []
