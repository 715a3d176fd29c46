"""
A dataset reader for taggers that reads CoNLL-U, the format of Universal Dependencies.
"""

import logging
from os import PathLike
from typing import Any, Dict, Iterable, Iterator, List, Optional, TextIO, Tuple, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer
from allennlp.data.fields import MetadataField, SequenceLabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from conllu import TokenList, parse_incr
from conllu.exceptions import ParseException

__all__ = ["ConlluTaggingReader"]

logger = logging.getLogger(__name__)

TAG_COLUMNS = ("upos", "xpos", "deprel", "lemma")


@DatasetReader.register("conllu_tagging")
class ConlluTaggingReader(DatasetReader):
    """
    Reads CoNLL-U files for taggers such as `simple_tagger` and `crf_tagger`. Every word (a line
    whose ID is a plain number) becomes a token; the ranges of multiword tokens (`1-2`) and empty
    nodes (`1.1`) are skipped, as they are no words of the sentence.

    An instance has the fields `tokens` (`TextField`), `tags` (`SequenceLabelField`, only where
    the tags are known) and `metadata` with the key `words`.

    Registered as a `DatasetReader` with name "conllu_tagging".

    # Parameters

    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `None`)
        How the words are turned into ids; `None` is `{"tokens": SingleIdTokenIndexer()}`.
    tag_column : `str`, optional (default = `"upos"`)
        The column that holds the tags: `upos`, `xpos`, `deprel` or `lemma`.

    # Raises

    `ConfigurationError`
        When there is no such column. When reading, for a file that is not CoNLL-U, or lacks a tag:
        the message names the file and the sentence.
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
        with open(cached_path(file_path), encoding="utf-8-sig") as file:
            for place, sentence in self.shard_iterable(_sentences(file, file_path)):
                # Ranges of multiword tokens and empty nodes have tuples for ids.
                words = [token for token in sentence if isinstance(token["id"], int)]
                if words:
                    tags = [self._tag(word, place) for word in words]
                    yield self.text_to_instance([Token(word["form"]) for word in words], tags)

    def text_to_instance(self, tokens: List[Token], tags: Optional[List[str]] = None) -> Instance:
        """
        # Parameters

        tokens : `List[Token]`
            The words of one sentence.
        tags : `List[str]`, optional (default = `None`)
            One tag for each word, where they are known.

        # Returns

        `Instance`
            Without token indexers; `apply_token_indexers` sets them.
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
        instance["tokens"].token_indexers = self._token_indexers  # type: ignore[attr-defined]

    def _tag(self, word: Dict[str, Any], place: str) -> str:
        tag = word.get(self._tag_column)
        if tag in (None, "", "_"):
            raise ConfigurationError(
                f"{place}: the word '{word['form']}' has no tag in the column "
                f"'{self._tag_column}'. Fill the column, or name another one as 'tag_column'."
            )
        return str(tag)


def _sentences(file: TextIO, path: Union[str, "PathLike[str]"]) -> Iterator[Tuple[str, TokenList]]:
    """Each sentence, with where it stands for the sake of errors."""
    sentences = parse_incr(file)
    number = 0
    while True:
        number += 1
        place = f"'{path}', sentence {number}"
        try:
            sentence = next(sentences, None)
        except (ParseException, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{place}: expected CoNLL-U (ten columns between tabs, in UTF-8): {error}"
            ) from error
        if sentence is None:
            return
        ids = [token["id"] for token in sentence if isinstance(token["id"], int)]
        if ids != list(range(1, len(ids) + 1)):
            raise ConfigurationError(
                f"{place}: expected words numbered from 1 up, got {ids}. A blank line ends each "
                "sentence."
            )
        yield place, sentence
