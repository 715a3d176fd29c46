"""The indexer and the embedder of a biLM with a dictionary, in configs and archives."""

import json
import shutil
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Token, TokenIndexer, Vocabulary
from allennlp.models.archival import load_archive

from allennlp_elmo_plugin import ElmoCharactersIndexer, ElmoExtractor, ElmoTokenEmbedder
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.many_langs_files import write_many_langs
from tests.support.tagger_experiment import train, write_data

SENTENCE = ["the", "\u96e8", "overlongwordsandmore", "Rain"]


def _files(folder: Path) -> Dict[str, str]:
    path = str(write_many_langs(folder))
    return {"options_file": path, "weight_file": path}


def _tensor(indexer: TokenIndexer) -> torch.Tensor:
    tokens = [Token(text) for text in SENTENCE]
    indexed = indexer.tokens_to_indices(tokens, Vocabulary())
    return indexer.as_padded_tensor_dict(indexed, {"elmo_tokens": 5})["elmo_tokens"]


def test_the_indexer_spells_as_the_bilm_reads(tmp_path: Path) -> None:
    """An indexer with the embedder's files makes what the embedder expects."""
    files = _files(tmp_path)
    indexer = TokenIndexer.from_params(Params({"type": "elmo_characters", **files}))
    embedder = ElmoTokenEmbedder(**files, dropout=0.0, scalar_mix_parameters=[50.0, -50.0, -50.0])
    vectors = embedder.eval()(_tensor(indexer).unsqueeze(0))
    extractor = ElmoExtractor.load(files["weight_file"], layers=0, initial_state="zero")
    expected = torch.tensor(extractor.embed([SENTENCE])[0])
    assert torch.allclose(vectors[0, :4], expected, atol=1e-5) and not vectors[0, 4].any()


def test_the_files_of_an_ordinary_bilm_give_its_width(tmp_path: Path) -> None:
    """The indexer takes the number of characters from the options."""
    files = write_elmo_files(tmp_path, elmo_options(max_characters=20))
    indexer = ElmoCharactersIndexer(**files._asdict())
    assert torch.equal(
        _tensor(indexer), _tensor(ElmoCharactersIndexer(max_characters_per_token=20))
    )


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"weight_file": None}, "both 'options_file' and 'weight_file'"),
        ({"tokens_to_add": {"a": 3}}, "Leave the other two out"),
        ({"max_characters_per_token": 20}, "Leave the other two out"),
        ({"options_file": "none.json"}, "no such file"),
    ],
    ids=["half", "symbols", "width", "missing"],
)
def test_other_values_beside_files_are_refused(
    tmp_path: Path, changes: Dict[str, Any], expected: str
) -> None:
    """The files alone say how tokens are spelled."""
    with pytest.raises(ConfigurationError, match=expected):
        ElmoCharactersIndexer(**{**_files(tmp_path), **changes})


def test_an_indexer_without_the_files_is_refused(tmp_path: Path) -> None:
    """The error of the embedder says what to give the indexer."""
    embedder = ElmoTokenEmbedder(**_files(tmp_path))
    with pytest.raises(ConfigurationError, match="1 word ids and 12 character ids.*the same 'op"):
        embedder(_tensor(ElmoCharactersIndexer()).unsqueeze(0))


def _config(folder: Path) -> Dict[str, Any]:
    files = _files(folder / "model")
    embedder = {"type": "elmo_token_embedder", **files, "encoder": {"initial_state": "warm"}}
    return {
        "dataset_reader": {
            "type": "sequence_tagging",
            "token_indexers": {"elmo": {"type": "elmo_characters", **files}},
        },
        "train_data_path": write_data(folder / "train.txt", 1, 8),
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {"token_embedders": {"elmo": embedder}},
            "encoder": {"type": "lstm", "input_size": 32, "hidden_size": 5},
        },
        "data_loader": {"batch_size": 4},
        "trainer": {"num_epochs": 1, "cuda_device": -1, "optimizer": "adam"},
    }


def _predict(archive: Path) -> Any:
    loaded = load_archive(str(archive))
    instance = loaded.dataset_reader.text_to_instance([Token(text) for text in SENTENCE])
    loaded.dataset_reader.apply_token_indexers(instance)
    return loaded.model.eval().forward_on_instance(instance)["logits"]


def test_an_archive_stands_alone(tmp_path: Path) -> None:
    """A trained model predicts the same without the biLM's files, and gives its vectors."""
    train(_config(tmp_path), tmp_path / "run")
    archive = tmp_path / "run" / "model.tar.gz"
    expected = _predict(archive)
    vectors = ElmoExtractor.load(archive).embed([SENTENCE])[0]
    shutil.rmtree(tmp_path / "model")
    assert torch.allclose(torch.tensor(_predict(archive)), torch.tensor(expected), atol=1e-6)
    found = ElmoExtractor.load(archive).embed([SENTENCE])[0]
    assert abs(vectors - found).max() < 1e-6


def test_words_may_be_cached_by_a_vocabulary(tmp_path: Path) -> None:
    """The vocabulary word cache spells its words by the dictionary."""
    files = _files(tmp_path)
    words = ["@@PADDING@@", "@@UNKNOWN@@", "the", "\u96e8"]
    vocab = Vocabulary(tokens_to_add={"words": words[2:]})
    indexer = ElmoCharactersIndexer(**files, word_namespace="words")
    indexed = indexer.tokens_to_indices([Token(text) for text in SENTENCE], vocab)
    tensors = indexer.as_padded_tensor_dict(indexed, {"elmo_tokens": 4, "word_inputs": 4})
    plain, cached = (
        ElmoTokenEmbedder(**files, dropout=0.0, vocab_to_cache=vocab_to_cache)
        for vocab_to_cache in (None, words)
    )
    with torch.no_grad():
        expected = plain(tensors["elmo_tokens"].unsqueeze(0))
        found = cached(*(tensors[key].unsqueeze(0) for key in ("elmo_tokens", "word_inputs")))
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_copy_of_the_indexer_is_equal(tmp_path: Path) -> None:
    """Indexers of the same files are equal, and those of others are not."""
    first, second = (ElmoCharactersIndexer(**_files(tmp_path / name)) for name in "ab")
    assert first == second and first != ElmoCharactersIndexer()
    assert json.dumps(_tensor(first).tolist()) == json.dumps(_tensor(second).tolist())
