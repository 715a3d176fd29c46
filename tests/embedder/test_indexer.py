"""The token indexer that spells tokens."""

from collections import defaultdict
from typing import Any, Dict

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import TextField

from allennlp_elmo_plugin import ElmoCharactersIndexer
from tests.support.builtin import BuiltInIndexer
from tests.support.words import WORD_LIST


def _indexed(indexer: TokenIndexer, *sentences: str) -> Dict[str, torch.Tensor]:
    vocab = Vocabulary(tokens_to_add={"words": ["a", "cat"]})
    batch = Batch(
        Instance({"text": TextField([Token(word) for word in sentence.split()], {"elmo": indexer})})
        for sentence in sentences
    )
    batch.index_instances(vocab)
    return batch.as_tensor_dict()["text"]["elmo"]  # type: ignore[return-value,index]


def test_a_batch_is_the_builtins() -> None:
    """Ids, padding and shape are those of AllenNLP's indexer."""
    sentences = (" ".join(WORD_LIST), "a", "")
    ours = _indexed(ElmoCharactersIndexer(), *sentences)
    theirs = _indexed(BuiltInIndexer(), *sentences)
    assert list(ours) == list(theirs) == ["elmo_tokens"]
    assert torch.equal(ours["elmo_tokens"], theirs["elmo_tokens"])


def test_a_config_gets_this_indexer_and_hotflip_knows_it() -> None:
    """A config with the built-in's name gets this indexer, which is a subclass of the built-in."""
    indexer = TokenIndexer.from_params(Params({"type": "elmo_characters"}))
    assert type(indexer) is ElmoCharactersIndexer
    assert isinstance(indexer, BuiltInIndexer)


def test_a_word_namespace_emits_word_ids() -> None:
    """Ids come from the vocabulary, 0 for padding and 1 for unknown words."""
    indexed = _indexed(ElmoCharactersIndexer(word_namespace="words"), "a cat", "cow")
    assert indexed["word_inputs"].tolist() == [[2, 3], [1, 0]]


def test_a_word_namespace_is_counted() -> None:
    """The indexer fills its namespace when the vocabulary is built."""
    counter: Dict[str, Dict[str, int]] = defaultdict(lambda: defaultdict(int))
    ElmoCharactersIndexer(word_namespace="words").count_vocab_items(Token("cat"), counter)
    ElmoCharactersIndexer().count_vocab_items(Token("cow"), counter)
    assert counter == {"words": {"cat": 1}}


@pytest.mark.parametrize("word_namespace", [None, "words"])
def test_no_tokens_give_tensors_of_length_zero(word_namespace: Any) -> None:
    """Empty sentences alone have the shape that the embedder expects."""
    indexed = _indexed(ElmoCharactersIndexer(word_namespace=word_namespace), "", "")
    assert indexed["elmo_tokens"].shape == (2, 0, 50)
    if word_namespace:
        assert indexed["word_inputs"].shape == (2, 0)


def test_a_minimum_length_is_kept() -> None:
    """`token_min_padding_length` pads short sentences."""
    indexer = ElmoCharactersIndexer(token_min_padding_length=4, word_namespace="words")
    assert {key: ids.shape[1] for key, ids in _indexed(indexer, "a").items()} == {
        "elmo_tokens": 4,
        "word_inputs": 4,
    }


def test_another_width_is_used_throughout() -> None:
    """Tokens and padding are as wide as the biLM wants them."""
    indexed = _indexed(ElmoCharactersIndexer(max_characters_per_token=20), "a cat", "")
    assert indexed["elmo_tokens"].shape == (2, 2, 20)


@pytest.mark.parametrize(
    "params, expected",
    [
        ({"tokens_to_add": {"[MASK]": 261}}, "got 261 for '\\[MASK\\]'"),
        ({"max_characters_per_token": 2}, "at least 3, got 2"),
    ],
)
def test_impossible_parameters_are_refused(params: Dict[str, Any], expected: str) -> None:
    """Parameters that no biLM could read are refused when the indexer is built."""
    with pytest.raises(ConfigurationError, match=expected):
        ElmoCharactersIndexer(**params)
