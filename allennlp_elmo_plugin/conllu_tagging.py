"""
A dataset reader for taggers that reads CoNLL-U, the format of Universal Dependencies.
"""

import logging
from os import PathLike
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer
from allennlp.data.fields import MetadataField, SequenceLabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

__all__ = ["ConlluTaggingReader"]

logger = logging.getLogger(__name__)

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
TAG_COLUMNS = COLUMNS[2:]

NumberedLine = Tuple[int, str]


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
        The column that holds the tags: `upos`, `xpos` or any other column of CoNLL-U. Case does
        not matter.
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
        if tag_column.lower() not in TAG_COLUMNS:
            raise ConfigurationError(
                f"tag_column: expected a column of CoNLL-U that can hold tags, one of "
                f'{", ".join(TAG_COLUMNS)}; got "{tag_column}".'
            )
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}
        self._tag_column = tag_column.lower()

    def _read(self, file_path: Union[str, PathLike]) -> Iterable[Instance]:
        logger.info("Reading %s tags from %s", self._tag_column, file_path)
        with open(cached_path(file_path), "rb") as data_file:
            sentences = _sentences(data_file, str(file_path))
            for sentence in self.shard_iterable(sentences):
                words, tags = self._words_and_tags(sentence, str(file_path))
                if words:
                    yield self.text_to_instance([Token(word) for word in words], tags)

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

    def _words_and_tags(
        self, sentence: List[NumberedLine], file_path: str
    ) -> Tuple[List[str], List[str]]:
        words: List[str] = []
        tags: List[str] = []
        for number, line in sentence:
            columns = line.split("\t")
            if len(columns) != len(COLUMNS):
                raise ConfigurationError(
                    f"{file_path}, line {number}: expected {len(COLUMNS)} columns, separated by "
                    f"tabs, got {len(columns)}: {line!r}"
                )
            word_id, word, tag = columns[0], columns[1], columns[COLUMNS.index(self._tag_column)]
            if _is_no_word(word_id):
                continue
            if word_id != str(len(words) + 1):
                raise ConfigurationError(
                    f"{file_path}, line {number}: expected the ID {len(words) + 1}, got "
                    f'"{word_id}". The words of a sentence are counted from 1, and a blank line '
                    f"ends each sentence."
                )
            if not word:
                raise ConfigurationError(
                    f"{file_path}, line {number}: expected a word in the column form, got nothing."
                )
            if tag in ("", "_"):
                raise ConfigurationError(
                    f'{file_path}, line {number}: the word "{word}" has no tag in the column '
                    f"{self._tag_column}. Fill the column, or name another one as tag_column."
                )
            words.append(word)
            tags.append(tag)
        return words, tags


def _sentences(lines: Iterable[bytes], file_path: str) -> Iterator[List[NumberedLine]]:
    """
    The lines of each sentence with their numbers in the file, counted from 1; comments are left
    out.
    """
    sentence: List[NumberedLine] = []
    for number, raw_line in enumerate(lines, 1):
        try:
            line = raw_line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{file_path}, line {number}: expected UTF-8 text, got {error}. "
                f"Convert the file to UTF-8."
            ) from error
        # A blank line is often left with spaces in it by hand-edited files.
        if not line.strip(" \t"):
            if sentence:
                yield sentence
            sentence = []
        elif not line.startswith("#"):
            sentence.append((number, line))
    if sentence:
        yield sentence


def _is_no_word(word_id: str) -> bool:
    for separator in "-.":
        first, found, second = word_id.partition(separator)
        if found:
            return first.isdigit() and second.isdigit()
    return False
