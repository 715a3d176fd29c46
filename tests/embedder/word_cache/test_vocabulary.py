"""Word vectors that are kept."""

from pathlib import Path
from typing import List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from allennlp_elmo_plugin import VocabularyWordCache, WordCache
from allennlp_elmo_plugin.network.spelling import spell_word

WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "cat", "sat"]


class _Embedder(torch.nn.Module):
    """Stands in for a character CNN: a word's vector is its spelling. Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.computed: List[List[int]] = []

    def forward(self, character_ids: torch.Tensor) -> torch.Tensor:
        self.computed += character_ids.tolist()
        return character_ids.float()


def _filled(cache: VocabularyWordCache) -> VocabularyWordCache:
    cache.fill(_Embedder(), width=50, requires_grad=False)
    return cache


def _spelled(*words: str) -> torch.Tensor:
    return torch.tensor([spell_word(word) for word in words])


def test_words_of_the_list_are_not_computed_again() -> None:
    """Only the word outside the list reaches the character CNN."""
    embed = _Embedder()
    ids = _spelled("<S>", "sat", "dog", "cat", "</S>")
    vectors = _filled(VocabularyWordCache(words=WORDS))(ids, torch.tensor([-1, 3, 1, 2, -2]), embed)
    assert torch.equal(vectors, ids.float())
    assert embed.computed == [spell_word("dog")]


def test_an_unknown_word_is_not_the_text_of_the_unknown_token() -> None:
    """Words that share the unknown word's id get vectors of their own."""
    ids = _spelled("dog", "cow", "@@UNKNOWN@@")
    vectors = _filled(VocabularyWordCache(words=WORDS))(ids, torch.ones(3).long(), _Embedder())
    assert torch.equal(vectors, ids.float())


def test_ids_of_another_vocabulary_give_right_vectors_and_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An id that stands for another word in the list is not believed, and told once."""
    cache = _filled(VocabularyWordCache(words=WORDS))
    ids = _spelled("sat", "cat")
    for _ in range(2):
        assert torch.equal(cache(ids, torch.tensor([2, 3]), _Embedder()), ids.float())
    assert caplog.text.count("holds other words") == 1


def test_an_id_beyond_the_list_is_computed() -> None:
    """A vocabulary may grow behind the cache's back."""
    ids = _spelled("mat")
    vectors = _filled(VocabularyWordCache(words=WORDS))(ids, torch.tensor([9]), _Embedder())
    assert torch.equal(vectors, ids.float())


def test_without_ids_every_word_is_computed() -> None:
    """The cache does not guess ids that it is not given."""
    embed = _Embedder()
    _filled(VocabularyWordCache(words=WORDS))(_spelled("cat"), None, embed)
    assert embed.computed == [spell_word("cat")]


def test_a_namespace_gives_its_words() -> None:
    """The words come from the vocabulary, through AllenNLP's config system."""
    vocab = Vocabulary(tokens_to_add={"words": ["cat", "sat"]})
    cache = WordCache.from_params(Params({"type": "vocabulary", "namespace": "words"}), vocab=vocab)
    assert isinstance(cache, VocabularyWordCache)
    assert cache.words == WORDS


def test_a_saved_vocabulary_file_gives_its_words(tmp_path: Path) -> None:
    """The file that AllenNLP writes for a namespace has the ids of that namespace."""
    vocab = Vocabulary(tokens_to_add={"words": ["cat", "sat"]})
    vocab.save_to_files(str(tmp_path / "vocabulary"))
    cache = VocabularyWordCache(file=str(tmp_path / "vocabulary" / "words.txt"))
    assert cache.words[1:] == WORDS[1:]


@pytest.mark.parametrize(
    "params, expected",
    [
        ({}, "exactly one of .* got none"),
        ({"words": ["", "a"], "namespace": "tokens"}, "got words and namespace"),
        ({"words": []}, "'words' has no entry"),
        ({"words": ["@@PADDING@@"]}, "at least one word"),
        ({"words": ["", "cat", "cat"]}, "has 'cat' twice"),
        ({"file": "no_such_file.txt"}, "'no_such_file.txt', but there is no such file"),
        ({"namespace": "labels"}, "to keep id 0 for padding, but it starts with 'yes'"),
    ],
)
def test_a_list_that_cannot_be_right_is_refused(params: dict, expected: str) -> None:
    """Each error says what was expected and what was there."""
    vocab = Vocabulary(tokens_to_add={"labels": ["yes", "no"]})
    with pytest.raises(ConfigurationError, match=expected):
        WordCache.from_params(Params({"type": "vocabulary", **params}), vocab=vocab)


def test_a_namespace_needs_a_vocabulary() -> None:
    """Outside a model's config there is none to read."""
    with pytest.raises(ConfigurationError, match="there is no vocabulary"):
        VocabularyWordCache(namespace="tokens")
