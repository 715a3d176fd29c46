"""
The word cache for a word list that is known beforehand.
"""

import logging
from typing import Any, Dict, List, Optional, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.data.vocabulary import DEFAULT_OOV_TOKEN
from overrides import overrides
from torch.nn.functional import embedding

from allennlp_elmo_plugin.archive.archived_module import ArchivedModule
from allennlp_elmo_plugin.archive.facts import (
    checked_numbers,
    checked_words,
    facts_of,
    find_facts,
)
from allennlp_elmo_plugin.embedder.word_cache.base import WordCache
from allennlp_elmo_plugin.io.locks import Once
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.spelling import Spelling

__all__ = ["VocabularyWordCache"]

logger = logging.getLogger(__name__)

BATCH_SIZE = 1024

SAVED_LINE_BREAK = "@@NEWLINE@@"
"""A line break within a word, in the files that AllenNLP's `Vocabulary` writes."""


class VocabularyWordCache(ArchivedModule, WordCache):
    """
    A cache of the vectors of a word list, computed when the embedder is built.

    It looks words up by the `word_inputs` that the `elmo_characters` indexer emits with a
    `word_namespace`. An entry serves a word only if it is spelled like the word. All other words
    are computed from their characters: unknown words, for example, and words of the indexer's
    `tokens_to_add`. A wrong list costs time but never gives a wrong vector.

    If the biLM is trained, the vectors of the list are parameters of their own, as in AllenNLP's
    built-in, and no longer follow the character CNN.

    Registered as a `WordCache` with name "vocabulary", whose constructor is `from_source`.

    # Parameters

    words : `Sequence[str]`
        The words; the position of a word is its id. The first is the entry for padding.

    # Raises

    `ConfigurationError`
        When the list is empty or names a word twice.
    """

    component = "vocabulary_word_cache"
    reads_word_ids = True

    characters: torch.Tensor
    boundaries: torch.Tensor

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = _checked(words, "'words'")
        self._file: Optional[str] = None
        self._warn = Once()

    @classmethod
    def from_source(
        cls,
        words: Optional[List[str]] = None,
        namespace: Optional[str] = None,
        file: Optional[str] = None,
        vocab: Optional[Vocabulary] = None,
        serialization_dir: Optional[str] = None,
    ) -> "VocabularyWordCache":
        """
        Builds the cache from one of three sources of words.

        # Parameters

        words : `List[str]`, optional (default = `None`)
            The words; the position of a word is its id. The first is the entry for padding.
        namespace : `str`, optional (default = `None`)
            Namespace of the vocabulary: the indexer's `word_namespace`.
        file : `str`, optional (default = `None`)
            Path or URL of a text file in UTF-8 with one word a line, the word of line k having the
            id k, such as `vocabulary/tokens.txt` in a serialization directory.
        vocab : `Vocabulary`, optional (default = `None`)
            The vocabulary of `namespace`. AllenNLP fills it in.
        serialization_dir : `str`, optional (default = `None`)
            Folder of an archive that is being loaded, which holds the words of `file`. AllenNLP
            fills it in.

        # Returns

        `VocabularyWordCache`

        # Raises

        `ConfigurationError`
            When not exactly one of `words`, `namespace` and `file` is given, when the list is empty
            or names a word twice, or when the namespace has no id for padding.
        """
        given = {"words": words, "namespace": namespace, "file": file}
        names = [name for name, value in given.items() if value is not None]
        if len(names) != 1:
            raise ConfigurationError(
                "Expected exactly one of 'words', 'namespace' and 'file' for the vocabulary word "
                f"cache, got {' and '.join(names) or 'none'}."
            )
        if namespace is not None:
            return cls(
                _checked(_words_of_namespace(namespace, vocab), f"the namespace '{namespace}'")
            )
        if file is not None:
            archived = find_facts(serialization_dir, cls.component, file=file)
            found = checked_words(archived, "words") if archived else _read_lines(file)
            cache = cls(_checked(found, f"the file '{file}'"))
            cache._file = file
            return cache
        return cls(words or [])

    @overrides
    def precompute(self, char_cnn: CharCnn, spelling: Spelling, requires_grad: bool) -> None:
        """
        Computes the vectors of the list and of the two sentence boundaries.

        # Parameters

        char_cnn : `CharCnn`
            The character CNN.
        spelling : `Spelling`
            The way to spell words for the character CNN.
        requires_grad : `bool`
            If `True`, the vectors of the list are trained.
        """
        if requires_grad:
            logger.warning(
                "The biLM is trained, but the vectors of its vocabulary cache are parameters of "
                "their own, which do not follow its character CNN. Unless you want that, use the "
                "word cache 'none' with 'requires_grad'."
            )
        spelled = torch.tensor(
            [*spelling.boundaries, *map(spelling.spell, self.words)],
            device=next(char_cnn.parameters()).device,
        )
        with torch.no_grad():
            vectors = torch.cat([char_cnn(chunk) for chunk in spelled.split(BATCH_SIZE)])
        vectors[2] = 0.0
        # Of the small types gloo, which sends buffers to other processes, has no int16.
        self.register_buffer("characters", spelled[2:].to(torch.int32), persistent=False)
        self.register_buffer("boundaries", vectors[:2].clone(), persistent=False)
        # The name in AllenNLP's `Embedding`.
        self.weight = torch.nn.Parameter(vectors[2:].clone(), requires_grad=requires_grad)

    @overrides
    def forward(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor], char_cnn: CharCnn
    ) -> torch.Tensor:
        """
        Returns the vectors of words.

        # Parameters

        character_ids : `torch.Tensor`
            Shape (words, characters), int64.
        word_ids : `Optional[torch.Tensor]`
            Shape (words,), int64. Without them every word is computed.
        char_cnn : `CharCnn`
            The character CNN.

        # Returns

        `torch.Tensor`
            Shape (words, projection_dim), float.
        """
        if word_ids is None:
            return char_cnn(character_ids)
        is_boundary = word_ids < 0
        in_list = (word_ids > 0) & (word_ids < len(self.words))
        candidates = word_ids.where(in_list, torch.zeros_like(word_ids))
        has_same_spelling = (self.characters[candidates] == character_ids).all(dim=-1)
        is_known = in_list & has_same_spelling
        self._warn_of_other_words(word_ids[in_list & ~has_same_spelling])

        boundary, known, unknown = (
            chosen.nonzero().squeeze(1)
            for chosen in (is_boundary, is_known, ~(is_boundary | is_known))
        )
        vectors = torch.cat(
            [
                self.boundaries[-1 - word_ids[boundary]],
                embedding(word_ids[known], self.weight),
                char_cnn(character_ids[unknown]),
            ]
        )
        return vectors.index_select(0, torch.cat([boundary, known, unknown]).argsort())

    @overrides
    def archived_facts(self) -> Dict[str, Any]:
        """Returns the words of a file and the boundaries' vectors, for an archive without files."""
        words = None if self._file is None else self.words
        return {"file": self._file, "words": words, "boundaries": self.boundaries.tolist()}

    def _load_from_state_dict(
        self,
        state_dict: Dict[str, torch.Tensor],
        prefix: str,
        local_metadata: Dict[str, Any],
        *args: Any,
    ) -> None:
        # Archives of AllenNLP's built-in lack the boundaries; it takes them from the weight file.
        facts = facts_of(local_metadata)
        if "boundaries" in facts:
            found = checked_numbers(facts, "boundaries", self.boundaries.shape)
            self.boundaries = found.to(self.boundaries)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def _warn_of_other_words(self, word_ids: torch.Tensor) -> None:
        # The unknown word's id stands for many words, so its spelling usually differs.
        words = [self.words[word_id] for word_id in word_ids.unique().tolist()]
        others = [word for word in words if word != DEFAULT_OOV_TOKEN]
        if others and self._warn.is_first():
            logger.warning(
                "The word list of the vocabulary cache does not match the ids in 'word_inputs' "
                "(for example at the id of '%s'). These words are computed from their characters, "
                "which is right but slow. Does the cache's list belong to the namespace that the "
                "indexer names as its 'word_namespace'?",
                others[0],
            )


def _checked(words: Sequence[str], source: str) -> List[str]:
    if len(words) < 2:
        raise ConfigurationError(
            f"Expected an entry for padding and at least one word for the vocabulary cache, but "
            f"{source} has {list(words) or 'no entry'}."
        )
    seen = set()
    for word in words:
        if word in seen:
            raise ConfigurationError(
                f"Expected each word of the vocabulary cache once, but {source} has '{word}' twice."
            )
        seen.add(word)
    return list(words)


def _words_of_namespace(namespace: str, vocab: Optional[Vocabulary]) -> List[str]:
    if vocab is None:
        raise ConfigurationError(
            f"The vocabulary cache names the namespace '{namespace}', but there is no vocabulary. "
            "Outside a model's config, give it as 'vocab'."
        )
    words = vocab.get_index_to_token_vocabulary(namespace)
    if words.get(0) != vocab._padding_token:
        raise ConfigurationError(
            f"Expected the namespace '{namespace}' to keep id 0 for padding, but it starts with "
            f"'{words.get(0)}'. Namespaces that end in 'tags' or 'labels' keep none: give the "
            "indexer another 'word_namespace'."
        )
    return [words[i] for i in range(len(words))]


def _read_lines(file: str) -> List[str]:
    lines = read_lines(file, "the 'file' of the vocabulary cache")
    return ["", *(line.replace(SAVED_LINE_BREAK, "\n") for line in lines)]


WordCache.register("vocabulary", constructor="from_source")(VocabularyWordCache)
