"""
The base class of the formats of scores that are text.
"""

import os
from typing import Iterable

from overrides import overrides

from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.scoring.outputs.base import ScoreOutput

__all__ = ["ScoreLines"]


class ScoreLines(ScoreOutput):
    """
    A text file with lines for each sentence, and perhaps a header.
    """

    @overrides
    def _open(self, is_new: bool) -> None:
        self._file.seek(0, os.SEEK_END)
        if is_new:
            self._file.write(self._header())

    def _header(self) -> bytes:
        """Returns what stands before the first sentence."""
        return b""

    @overrides
    def _flush(self) -> None:
        pass

    @overrides
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        pass
