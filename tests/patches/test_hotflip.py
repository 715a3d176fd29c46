"""HotFlip on models that read characters alone."""

from typing import Any, Dict, List

import pytest
import torch
from allennlp.data import DatasetReader, Token, Vocabulary
from allennlp.data.fields import TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer, TokenIndexer
from allennlp.interpret.attackers import hotflip
from allennlp.interpret.attackers.hotflip import Hotflip
from allennlp.models import Model
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.nn import util
from allennlp.predictors import Predictor

from allennlp_elmo_plugin import ElmoCharactersIndexer, ElmoTokenEmbedder
from allennlp_elmo_plugin.patches.hotflip import patch_hotflip


class Reader(DatasetReader):
    """A reader with ELMo's indexer alone."""

    def __init__(self) -> None:
        super().__init__()
        self._token_indexers: Dict[str, TokenIndexer] = {"elmo": ElmoCharactersIndexer()}


class Embedding(Model):
    """A model that only embeds."""

    def __init__(self, vocab: Vocabulary) -> None:
        super().__init__(vocab)
        elmo = ElmoTokenEmbedder("pretrained:small", "pretrained:small")
        self.embedder = BasicTextFieldEmbedder({"elmo": elmo})


def predictor(words: List[str]) -> Predictor:
    """Returns a predictor of a model with some words in its vocabulary."""
    vocab = Vocabulary(tokens_to_add={"labels": ["N", "V"], **({"tokens": words} if words else {})})
    return Predictor(Embedding(vocab), Reader())


def candidates(attacker: Hotflip) -> List[str]:
    """Returns the words that a token can be flipped to."""
    words = attacker.vocab.get_index_to_token_vocabulary(attacker.namespace)
    return [words[i] for i in words if i not in attacker.invalid_replacement_indices]


def test_a_vocabulary_without_words_gets_common_ones(caplog: pytest.LogCaptureFixture) -> None:
    """Each candidate is a word, the log says where they come from, and the model keeps its own."""
    attacked = predictor([])
    attacker = Hotflip(attacked)
    found = candidates(attacker)
    assert {"rain", "library", "The"} <= set(found)
    assert all(word.isalnum() for word in found)
    assert f"HotFlip chooses among {len(found)} common words of English" in caplog.text
    assert attacked._model.vocab.get_vocab_size("tokens") == 2


def test_words_of_the_vocabulary_are_the_candidates(caplog: pytest.LogCaptureFixture) -> None:
    """A vocabulary that has words is left as it is."""
    attacker = Hotflip(predictor(["rain", "falls", "..."]))
    assert candidates(attacker) == ["rain", "falls"]
    assert caplog.text == ""


def test_words_can_be_added_beforehand() -> None:
    """Words of a namespace that the user fills are the candidates."""
    attacked = predictor([])
    attacked._model.vocab.add_tokens_to_namespace(["pluie", "soleil"], "french")
    assert candidates(Hotflip(attacked, vocab_namespace="french")) == ["pluie", "soleil"]


def tensors(**indexers: TokenIndexer) -> Any:
    """Returns the tensors of a text field of three tokens."""
    field = TextField([Token("the"), Token("rain"), Token("falls")], indexers)
    field.index(Vocabulary(tokens_to_add={"tokens": ["the", "rain"]}))
    return field.as_tensor(field.get_padding_lengths())


def test_a_token_of_characters_alone_has_any_id() -> None:
    """HotFlip gets one number for each token."""
    ids = hotflip.util.get_token_ids_from_text_field_tensors(tensors(elmo=ElmoCharactersIndexer()))
    assert ids.tolist() == [0, 0, 0]


def test_ids_of_tokens_are_found_as_before() -> None:
    """Word ids beside ELMo's characters are what HotFlip gets."""
    found = tensors(elmo=ElmoCharactersIndexer(), words=SingleIdTokenIndexer())
    assert hotflip.util.get_token_ids_from_text_field_tensors(found).tolist() == [2, 3, 1]


def test_other_tensors_are_refused_as_before() -> None:
    """Tensors that are neither raise AllenNLP's error."""
    with pytest.raises(NotImplementedError, match="heuristic"):
        hotflip.util.get_token_ids_from_text_field_tensors({"other": {"numbers": torch.ones(3)}})


def test_models_get_no_ids_that_are_not_there() -> None:
    """Outside HotFlip, AllenNLP's function raises its error."""
    with pytest.raises(NotImplementedError, match="heuristic"):
        util.get_token_ids_from_text_field_tensors(tensors(elmo=ElmoCharactersIndexer()))


def test_the_id_of_a_token_does_not_decide() -> None:
    """HotFlip finds the same word for a token with any id."""
    attacker = Hotflip(predictor(["rain", "falls", "sun", "shines"]))
    attacker.initialize()
    gradient = torch.randn(256, generator=torch.Generator().manual_seed(0)).numpy()
    found = {int(attacker._first_order_taylor(gradient, torch.tensor(i), -1)) for i in range(6)}
    assert len(found) == 1


def test_patching_twice_changes_nothing() -> None:
    """A second call leaves the constructor that the first one put there."""
    constructor = Hotflip.__init__
    patch_hotflip(["other"])
    assert Hotflip.__init__ is constructor
