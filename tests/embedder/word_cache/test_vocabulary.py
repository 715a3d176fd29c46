"""The word cache for a word list that is known beforehand."""

from pathlib import Path
from typing import List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from allennlp_elmo_plugin import VocabularyWordCache, WordCache
from allennlp_elmo_plugin.network.spelling import ByteSpelling
from tests.embedder.word_cache.counting import CountingCnn
from tests.support.elmo_files import write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell_words

WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "cat", "sat"]


def _precomputed(requires_grad: bool = False) -> VocabularyWordCache:
    """Returns a cache of `WORDS`."""
    cache = VocabularyWordCache(WORDS)
    cache.precompute(CountingCnn(), ByteSpelling(), requires_grad)
    return cache


def test_words_of_the_list_are_not_computed_again() -> None:
    """Only the word outside the list reaches the character CNN."""
    embed = CountingCnn()
    ids = spell_words(["<S>", "sat", "dog", "cat", "</S>"])
    vectors = _precomputed()(ids, torch.tensor([-1, 3, 1, 2, -2]), embed)
    assert torch.equal(vectors, ids.float())
    assert embed.computed == spell_words(["dog"]).tolist()


def test_an_unknown_word_is_not_the_text_of_the_unknown_token() -> None:
    """Words that share the unknown word's id get vectors of their own."""
    ids = spell_words(["dog", "cow", "@@UNKNOWN@@"])
    vectors = _precomputed()(ids, torch.ones(3).long(), CountingCnn())
    assert torch.equal(vectors, ids.float())


def test_ids_of_another_vocabulary_give_right_vectors_and_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A word whose id stands for another word of the list is computed, and one warning says so."""
    cache = _precomputed()
    ids = spell_words(["sat", "cat"])
    for _ in range(2):
        assert torch.equal(cache(ids, torch.tensor([2, 3]), CountingCnn()), ids.float())
    assert caplog.text.count("does not match the ids") == 1


def test_an_id_beyond_the_list_is_computed() -> None:
    """An id that the list does not have, as of a vocabulary that has grown, is computed."""
    ids = spell_words(["mat"])
    vectors = _precomputed()(ids, torch.tensor([9]), CountingCnn())
    assert torch.equal(vectors, ids.float())


def test_without_ids_every_word_is_computed() -> None:
    """The cache does not guess ids that it is not given."""
    embed = CountingCnn()
    _precomputed()(spell_words(["cat"]), None, embed)
    assert embed.computed == spell_words(["cat"]).tolist()


def test_vectors_are_computed_beforehand() -> None:
    """The list's vectors are those of its words, frozen, and zeros for padding."""
    cache = _precomputed()
    assert torch.equal(cache.weight[1:], spell_words(WORDS[1:]).float())
    assert not cache.weight[0].any() and not cache.weight.requires_grad
    assert torch.equal(cache.boundaries, spell_words(["<S>", "</S>"]).float())
    assert set(cache.state_dict()) == {"weight"}


def test_vectors_beside_a_trained_bilm_are_trained(caplog: pytest.LogCaptureFixture) -> None:
    """If the biLM is trained, the list's vectors get gradients, and a warning says so."""
    cache = _precomputed(requires_grad=True)
    cache(spell_words(["cat", "</S>"]), torch.tensor([2, -2]), CountingCnn()).sum().backward()
    assert cache.weight.grad is not None
    assert cache.weight.grad.any(dim=1).tolist() == [False, False, True, False]
    assert "do not follow its character CNN" in caplog.text


def test_a_list_of_words_gives_its_words(tmp_path: Path) -> None:
    """A config's list of words is read like the embedder's 'vocab_to_cache'."""
    cache = WordCache.from_params(Params({"type": "vocabulary", "words": WORDS}))
    assert isinstance(cache, VocabularyWordCache)
    files = write_elmo_files(tmp_path)
    named, given = embedder(files, word_cache=cache), embedder(files, vocab_to_cache=WORDS)
    assert torch.equal(
        named.get_parameter("_elmo._elmo_lstm._word_embedding.weight"),
        given.get_parameter("_elmo._elmo_lstm._word_embedding.weight"),
    )


def test_a_namespace_gives_its_words() -> None:
    """The words come from the vocabulary, through AllenNLP's config system."""
    vocab = Vocabulary(tokens_to_add={"words": ["cat", "sat"]})
    cache = WordCache.from_params(Params({"type": "vocabulary", "namespace": "words"}), vocab=vocab)
    assert isinstance(cache, VocabularyWordCache)
    assert cache.words == WORDS


def test_a_saved_vocabulary_file_gives_its_words(tmp_path: Path) -> None:
    """The file that AllenNLP writes for a namespace has the ids of that namespace."""
    odd = [f"a{character}b" for character in "\n\r\x0b\x0c\x1c\x85\u2028\u2029"]
    vocab = Vocabulary(tokens_to_add={"words": ["cat", "sat", *odd, "dog"]})
    vocab.save_to_files(str(tmp_path / "vocabulary"))
    cache = VocabularyWordCache.from_source(file=str(tmp_path / "vocabulary" / "words.txt"))
    assert cache.words[1:] == [*WORDS[1:], *odd, "dog"]


@pytest.mark.parametrize(
    "params, expected",
    [
        ({}, "exactly one of .* got none"),
        ({"words": ["", "a"], "namespace": "tokens"}, "got words and namespace"),
        ({"words": []}, "'words' has no entry"),
        ({"words": ["@@PADDING@@"]}, "at least one word"),
        ({"words": ["", "cat", "cat"]}, "has 'cat' twice"),
        ({"file": "no_such_file.txt"}, "'no_such_file.txt', but there is none"),
        ({"namespace": "labels"}, "to keep id 0 for padding, but it starts with 'yes'"),
    ],
)
def test_a_list_that_cannot_be_right_is_refused(params: dict, expected: str) -> None:
    """Each error says what was expected and what was there."""
    vocab = Vocabulary(tokens_to_add={"labels": ["yes", "no"]})
    with pytest.raises(ConfigurationError, match=expected):
        WordCache.from_params(Params({"type": "vocabulary", **params}), vocab=vocab)


def test_a_namespace_needs_a_vocabulary() -> None:
    """Outside a model's config, a namespace without a vocabulary is refused."""
    with pytest.raises(ConfigurationError, match="there is no vocabulary"):
        VocabularyWordCache.from_source(namespace="tokens")


@pytest.mark.parametrize("words", [[], [""], ["", "cat", "cat"]])
def test_wrong_words_are_refused_in_python(words: List[str]) -> None:
    """The constructor checks its list like `from_source`."""
    with pytest.raises(ConfigurationError, match="'words' has"):
        VocabularyWordCache(words)
