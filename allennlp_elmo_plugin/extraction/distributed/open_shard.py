"""
The sentences of a shard, read as a part of its file.
"""

from pathlib import Path
from typing import NamedTuple, Optional

from allennlp_elmo_plugin.extraction.distributed.shard import Shard
from allennlp_elmo_plugin.extraction.distributed.stretches import copy_stretch
from allennlp_elmo_plugin.extraction.inputs.formats import choose_format
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile

__all__ = ["InputOptions", "open_shard"]


class InputOptions(NamedTuple):
    """
    Options with which input files are read, those of `SentenceFile`.

    # Parameters

    input_format : `str`, optional (default = `None`)
        `"lines"`, `"jsonl"`, `"conllu"` or `"fasta"`. `None` chooses it by the ending.
    language : `str`, optional (default = `None`)
        spaCy's code of the language of a raw text. `None` is for tokenized text.
    keys : `str`, optional (default = `"ids"`)
        `"ids"`, `"numbers"` or `"sentences"`.
    blank_lines : `str`, optional (default = `"error"`)
        `"error"` or `"empty"`.
    """

    input_format: Optional[str] = None
    language: Optional[str] = None
    keys: str = "ids"
    blank_lines: str = "error"


def open_shard(shard: Shard, options: InputOptions, folder: Path) -> SentenceFile:
    """
    Copies a shard to this machine and opens its sentences.

    # Parameters

    shard : `Shard`
        The shard. Its first number and its prefix are those of the keys.
    options : `InputOptions`
        Options of the input.
    folder : `Path`
        An existing folder on this machine for temporary files. It must stay as long as the
        sentences are read.

    # Returns

    `SentenceFile`
        The sentences, of which there may be none. Errors count lines from the beginning of the
        shard's first sentence.

    # Raises

    `ConfigurationError`
        If the input cannot be read or has changed, or if an option has no such value.
    `OSError`
        If the copy cannot be written.
    """
    input_format = choose_format(shard.location, options.input_format, options.language)
    is_part = shard.start > 0
    return SentenceFile(
        copy_stretch(shard, input_format, folder),
        input_format=input_format,
        language=options.language,
        keys=options.keys,
        blank_lines=options.blank_lines,
        source_name=f"{shard.location} from byte {shard.start:,}" if is_part else shard.location,
        working_folder=folder,
        first_number=shard.first_number,
        key_prefix=shard.key_prefix,
    )
