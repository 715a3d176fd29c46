"""
A dataset reader for taggers. It reads CoNLL-U, the format of Universal Dependencies.
"""

import logging
import re
from os import PathLike
from typing import Any, Dict, Iterable, Iterator, List, Optional, TextIO, Tuple, Union, cast

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer
from allennlp.data.fields import MetadataField, SequenceLabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from conllu import TokenList
from conllu.exceptions import ParseException
from conllu.parser import parse_sentences, parse_token_and_metadata

from allennlp_elmo_plugin.io.text_lines import read_lines

__all__ = ["ConlluTaggingReader"]

logger = logging.getLogger(__name__)

COLUMNS = re.compile(r"^#\s*global\.columns\s*=\s*(\S.*)", re.MULTILINE)
"""The line with the names of the columns, in CoNLL-U Plus."""

TAG_COLUMNS = ("upos", "xpos", "deprel", "lemma")


@DatasetReader.register("conllu_tagging")
class ConlluTaggingReader(DatasetReader):
    """
    A dataset reader of CoNLL-U files for taggers such as `simple_tagger` and `crf_tagger`.

    Every word, which is a line whose ID is a plain number, becomes a token. Ranges of multiword
    tokens (`1-2`) and empty nodes (`1.1`) are not words of the sentence and are skipped.

    An instance has the fields `tokens` (a `TextField`), `tags` (a `SequenceLabelField`, missing if
    the tags are unknown) and `metadata` with the key `words`.

    Registered as a `DatasetReader` with name "conllu_tagging".

    # Parameters

    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `None`)
        Indexers of the words. `None` is `{"tokens": SingleIdTokenIndexer()}`.
    tag_column : `str`, optional (default = `"upos"`)
        Name of the column that contains the tags: `upos`, `xpos`, `deprel` or `lemma`.

    # Raises

    `ConfigurationError`
        If there is no such column. While reading: if a file is not CoNLL-U, or if a word has no
        tag. The message then names the file and the sentence.
    """

    def __init__(
        self,
        token_indexers: Optional[Dict[str, TokenIndexer]] = None,
        tag_column: str = "upos",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs
        )
        if tag_column not in TAG_COLUMNS:
            raise ConfigurationError(
                f"Expected 'tag_column' to be one of {', '.join(TAG_COLUMNS)}, got '{tag_column}'."
            )
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}
        self._tag_column = tag_column

    def _read(self, file_path: Union[str, "PathLike[str]"]) -> Iterable[Instance]:
        logger.info("Reading %s tags from %s", self._tag_column, file_path)
        for location, sentence in self.shard_iterable(_read_sentences(file_path)):
            # The ids of multiword ranges and empty nodes are tuples.
            words = [token for token in sentence if isinstance(token["id"], int)]
            if words:
                tags = [self._tag_of(word, location) for word in words]
                yield self.text_to_instance([Token(word["form"]) for word in words], tags)

    def text_to_instance(self, tokens: List[Token], tags: Optional[List[str]] = None) -> Instance:
        """
        Makes an instance of one sentence.

        # Parameters

        tokens : `List[Token]`
            Words of the sentence.
        tags : `List[str]`, optional (default = `None`)
            One tag for each word, if the tags are known.

        # Returns

        `Instance`
            The instance without token indexers, which `apply_token_indexers` sets.
        """
        text = TextField(tokens)
        fields: Dict[str, Field] = {
            "tokens": text,
            "metadata": MetadataField({"words": [token.text for token in tokens]}),
        }
        if tags is not None:
            fields["tags"] = SequenceLabelField(tags, text)
        return Instance(fields)

    def apply_token_indexers(self, instance: Instance) -> None:
        """
        Sets the token indexers of an instance.

        # Parameters

        instance : `Instance`
            Instance made by `text_to_instance`. It is changed in place.
        """
        instance["tokens"].token_indexers = self._token_indexers  # type: ignore[attr-defined]

    def _tag_of(self, word: Dict[str, Any], location: str) -> str:
        tag = word.get(self._tag_column)
        if tag in (None, "", "_"):
            raise ConfigurationError(
                f"{location}: expected a tag in the column '{self._tag_column}', but the word "
                f"'{word['form']}' has none. Fill in the column, or set 'tag_column' to another."
            )
        return str(tag)


def _parse(lines: Iterator[str]) -> Iterator[TokenList]:
    """Yields the tokens of each sentence."""
    columns: Optional[List[str]] = None
    # Only `for` uses them as the file that they are said to be.
    for sentence in parse_sentences(cast(TextIO, (f"{line}\n" for line in lines))):
        declared = COLUMNS.search(sentence)
        if declared is not None:
            columns = declared.group(1).lower().split()
        yield parse_token_and_metadata(sentence, fields=columns)


def _read_sentences(path: Union[str, "PathLike[str]"]) -> Iterator[Tuple[str, TokenList]]:
    """Yields the location (file and number) and the tokens of each sentence, for errors to name."""
    sentences = _parse(read_lines(path, "a file of CoNLL-U"))
    number = 0
    while True:
        number += 1
        location = f"'{path}', sentence {number}"
        try:
            sentence = next(sentences, None)
        except ParseException as error:
            raise ConfigurationError(
                f"{location}: expected CoNLL-U (ten columns separated by tabs, in UTF-8), got a "
                f"line that cannot be parsed ({error})."
            ) from error
        if sentence is None:
            return
        ids = [token["id"] for token in sentence if isinstance(token["id"], int)]
        if ids != list(range(1, len(ids) + 1)):
            raise ConfigurationError(
                f"{location}: expected words numbered from 1 up, got {ids}. End each sentence with "
                "a blank line."
            )
        yield location, sentence
