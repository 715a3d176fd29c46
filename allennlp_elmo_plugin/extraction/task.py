"""
The tasks of an extraction, of which this module has the first: all vectors of every sentence.
"""

from pathlib import Path
from typing import Any, Dict, Generic, Optional, Type, TypeVar

from allennlp_elmo_plugin.extraction.engine import SentenceEngine
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.outputs.by_ending import output_by_ending
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["ExtractionTask"]

Engine = TypeVar("Engine", bound=SentenceEngine)


class ExtractionTask(Generic[Engine]):
    """
    A task that writes the results of an engine for every sentence of the input.

    Other tasks override which sentences are run, where their results go, and from which engine.

    # Parameters

    output : `Path`
        Path of the output, whose ending chooses the format.
    dtype : `str`, optional (default = `"float32"`)
        `"float32"` or `"float16"`.
    has_sentence_index : `bool`, optional (default = `False`)
        If `True`, an HDF5 file also has a table from the text of a sentence to its key.
    output_class : `Type[Output]`, optional (default = `None`)
        The class that writes the output. `None` is chosen by the ending.

    # Raises

    `ConfigurationError`
        If no format of the task has this ending.
    """

    def __init__(
        self,
        output: Path,
        dtype: str = "float32",
        has_sentence_index: bool = False,
        output_class: Optional[Type[Output]] = None,
    ) -> None:
        self.output = output
        self.dtype = dtype
        self.output_class = output_class or self.find_output_class()
        self.has_sentence_index = has_sentence_index and self.output_class.takes_sentence_index

    def find_output_class(self) -> Type[Output]:
        """Returns the class that writes files with the ending of the output."""
        return output_by_ending(self.output)

    def require_fit(self, engine: Engine) -> None:
        """
        Checks that the output can hold an engine's results.

        # Parameters

        engine : `SentenceEngine`
            The engine.

        # Raises

        `ConfigurationError`
            If it cannot.
        """

    def count(self, sentence: Sentence) -> None:
        """
        Receives each sentence of the input once, before any is run.

        # Parameters

        sentence : `Sentence`
            The sentence.
        """

    def wants(self, sentence: Sentence) -> bool:
        """
        Returns `True` if a sentence is to be run. It is asked after everything was counted.

        # Parameters

        sentence : `Sentence`
            The sentence.
        """
        return True

    def shape(self, num_sentences: int, num_tokens: int, engine: Engine) -> ResultShape:
        """
        Returns the shape of all results.

        # Parameters

        num_sentences : `int`
            The number of sentences that are run.
        num_tokens : `int`
            The number of their tokens.
        engine : `SentenceEngine`
            The engine.

        # Returns

        `ResultShape`
        """
        return engine.result_shape(num_sentences, num_tokens, self.dtype)

    def open_output(self, file: JournaledFile, shape: ResultShape) -> Output:
        """
        Opens the output, a new one or at an earlier commit.

        # Parameters

        file : `JournaledFile`
            The unfinished file.
        shape : `ResultShape`
            Result of `shape`.

        # Returns

        `Output`
        """
        return self.output_class(file, shape, self.has_sentence_index)

    def settings(self) -> Dict[str, Any]:
        """Returns what the output depends on, values of JSON by their names."""
        return {
            "format": self.output.suffix,
            "dtype": self.dtype,
            "sentence index": self.has_sentence_index,
        }
