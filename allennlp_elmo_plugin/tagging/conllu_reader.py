"""
A dataset reader for taggers. It reads CoNLL-U, the format of Universal Dependencies.
"""

import logging
from os import PathLike
from typing import Any, Dict, Iterable, List, Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer
from allennlp.data.fields import MetadataField, SequenceLabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

from allennlp_elmo_plugin.io.conllu_sentences import parse_conllu
from allennlp_elmo_plugin.io.text_lines import read_lines

__all__ = ["ConlluTaggingReader"]

logger = logging.getLogger(__name__)

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
        lines = read_lines(file_path, "a file of CoNLL-U")
        for sentence in self.shard_iterable(parse_conllu(lines, str(file_path))):
            if sentence.words:
                tags = [self._tag_of(word, sentence.location) for word in sentence.words]
                yield self.text_to_instance([Token(word["form"]) for word in sentence.words], tags)

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
