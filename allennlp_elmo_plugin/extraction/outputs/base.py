"""
The base class of all formats of output files.
"""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Tuple

import numpy
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

__all__ = ["Output", "num_vector_bytes"]

STATE = "output"
"""Key of the output's own entry in a record."""


def num_vector_bytes(shape: ResultShape) -> int:
    """
    Returns the number of bytes of all vectors.

    # Parameters

    shape : `ResultShape`
        Shape of all results.

    # Returns

    `int`
    """
    return shape.num_rows * (shape.num_layers or 1) * shape.dim * numpy.dtype(shape.dtype).itemsize


class Output(ABC):
    """
    A file that receives the vectors of a corpus, sentence by sentence.

    It is written in a folder beside its final path. A process that is killed goes on from the last
    commit: open the file again, construct the same output, and write from sentence `num_sentences`
    on. After an error the output can only be closed, and what was committed is intact. Use it as a
    context manager, or close it.

    # Parameters

    file : `JournaledFile`
        The unfinished file, empty or at an earlier commit. The output closes it.
    shape : `ResultShape`
        Shape of all results.
    has_sentence_index : `bool`, optional (default = `False`)
        If `True`, the file also has a table from the text of a sentence to its key. Only a class
        with `takes_sentence_index` has one.

    # Raises

    `ConfigurationError`
        If the file was begun with another shape.
    """

    endings: ClassVar[Tuple[str, ...]]
    """Endings of the names of such files."""
    has_json_beside: ClassVar[bool] = False
    """If `True`, a file with the ending `.json` beside the output names what is in it."""
    takes_sentence_index: ClassVar[bool] = False
    """If `True`, the format has room for a table of all sentences."""

    num_sentences: int
    """Number of sentences in the file."""

    def __init__(
        self, file: JournaledFile, shape: ResultShape, has_sentence_index: bool = False
    ) -> None:
        if has_sentence_index and not self.takes_sentence_index:
            raise ConfigurationError(
                f"A table from sentences to keys is a part of HDF5 files only, not of a "
                f"'{self.endings[0]}' file. Leave it out, or choose another ending."
            )
        self._file = file
        self._shape = shape
        self._has_sentence_index = has_sentence_index
        self.num_sentences = 0
        self._is_complete = False
        try:
            if file.record is not None:
                self._go_on(file.record[STATE])
            if not self._is_complete:
                self._open(is_new=file.record is None)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    @classmethod
    def paths(cls, output: Path) -> List[Path]:
        """
        Returns the paths of all files that appear at the end.

        # Parameters

        output : `Path`
            Path of the output.

        # Returns

        `List[Path]`
        """
        return [*([output.with_suffix(".json")] if cls.has_json_beside else []), output]

    @classmethod
    @abstractmethod
    def num_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        """
        Estimates the size of all files.

        # Parameters

        shape : `ResultShape`
            Shape of all results.
        num_key_bytes : `int`
            Bytes of all keys together, in UTF-8.
        num_text_bytes : `int`
            Bytes of the texts that the file holds, in UTF-8; 0 if it has none.

        # Returns

        `int`
            Number of bytes.
        """

    @classmethod
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        """
        Estimates the space on the disk that is needed besides the files, until these are finished.

        # Parameters

        shape, num_key_bytes, num_text_bytes :
            As for `num_bytes`.

        # Returns

        `int`
            Number of bytes.
        """
        return 1 << 20

    @property
    def is_complete(self) -> bool:
        """`True` if nothing is left but `finish`, and a commit would be too late."""
        return self._is_complete

    def write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        """
        Writes the result of the next sentence.

        # Parameters

        sentence : `Sentence`
            The sentence.
        vectors : `numpy.ndarray`
            (layers, tokens, dim) without the layers or the tokens if there are none, float32.

        # Raises

        `ConfigurationError`
            If the format cannot hold the key, or a number that is not finite or too large.
        `OSError`
            If the file cannot be written, for example because the disk is full.
        """
        with self._given_up_on_error():
            num_tokens = 0 if self._shape.is_pooled else vectors.shape[-2]
            if vectors.shape != self._shape.of_sentence(num_tokens):
                raise ValueError(
                    f"Expected vectors of the shape {self._shape.of_sentence(num_tokens)}, got "
                    f"{vectors.shape}."
                )
            self._write(sentence, self._cast(sentence, vectors))
            self._file.raise_error()
            self.num_sentences += 1

    def commit(self, record: Dict[str, Any]) -> None:
        """
        Makes all that was written the state from which a killed process goes on.

        # Parameters

        record : `Dict[str, Any]`
            Facts for that process, which finds them in `JournaledFile.record`; values of JSON. The
            key "output" is the output's own.

        # Raises

        `OSError`
            If the file cannot be written, for example because the disk is full.
        """
        with self._given_up_on_error():
            self._flush()
            self._commit(record, is_complete=False)

    def finish(self, sentences: Iterable[Sentence], output: Path) -> List[Path]:
        """
        Completes the file and moves it to its final path in one step.

        A process that is killed meanwhile goes on in the same way: construct the output again, and
        finish it. If `JournaledFile.is_moved`, everything is done but for removing the folder.

        # Parameters

        sentences : `Iterable[Sentence]`
            All sentences that were written. They are iterated over up to two times.
        output : `Path`
            Path on the same file system. A file that is already there is replaced.

        # Returns

        `List[Path]`
            Paths of all files.

        # Raises

        `ConfigurationError`
            If there were fewer or more sentences than announced.
        `OSError`
            If the file cannot be written, for example because the disk is full.
        """
        if self.num_sentences != self._shape.num_sentences:
            raise ConfigurationError(
                f"Expected {self._shape.num_sentences} sentences, as counted before, got "
                f"{self.num_sentences}. Has the input changed? Remove the folder of "
                f"'{self._file.name}', and begin again."
            )
        if not self._is_complete:
            with self._given_up_on_error():
                self._flush()
                self._complete(sentences)
                self._commit(self._file.record or {}, is_complete=True)
        self._publish(sentences, output)
        return self.paths(output)

    def close(self) -> None:
        """Closes the file; what was not committed is lost."""
        self._file.close()

    # The parts that differ between formats.

    @abstractmethod
    def _open(self, is_new: bool) -> None:
        """Begins a file, or goes on with one that is not complete."""

    @abstractmethod
    def _write(self, sentence: Sentence, vectors: numpy.ndarray) -> None:
        """Writes vectors of the type that the file holds."""

    @abstractmethod
    def _flush(self) -> None:
        """Writes what waits in memory to the file."""

    @abstractmethod
    def _complete(self, sentences: Iterable[Sentence]) -> None:
        """Writes what stands at the end of the file. Nothing is flushed after it."""

    def _publish(self, sentences: Iterable[Sentence], output: Path) -> None:
        """Moves the complete file to its final path."""
        self._file.move_to(output)

    def _go_on(self, state: Dict[str, Any]) -> None:
        expected, found = state["begun"], [*self._shape, self._has_sentence_index]
        if expected != found:
            raise ConfigurationError(
                f"Expected results of the shape {expected}, with which '{self._file.name}' was "
                f"begun, but got {found}. Use the same input and the same options, or remove its "
                "folder and begin again."
            )
        self.num_sentences, self._is_complete = state["num_sentences"], state["is_complete"]

    def _cast(self, sentence: Sentence, vectors: numpy.ndarray) -> numpy.ndarray:
        if vectors.dtype == self._shape.dtype:
            return numpy.ascontiguousarray(vectors)
        with numpy.errstate(over="ignore"):
            result = vectors.astype(self._shape.dtype, order="C")
        if not numpy.isfinite(result).all():
            raise ConfigurationError(
                f"The vectors of the sentence {sentence.key!r} have a number that is not finite or "
                f"too large for {self._shape.dtype}. Choose float32, and check the weights."
            )
        return result

    def _commit(self, record: Dict[str, Any], is_complete: bool) -> None:
        state = {
            "num_sentences": self.num_sentences,
            "is_complete": is_complete,
            "begun": [*self._shape, self._has_sentence_index],
        }
        self._file.commit({**record, STATE: state})
        self._is_complete = is_complete

    @contextmanager
    def _given_up_on_error(self) -> Iterator[None]:
        """Refuses every later commit if an error leaves half a sentence in the file."""
        try:
            yield
        except BaseException as error:
            self._file.fail(error)
            # A patient file has raised nothing. Its own error comes first.
            self._file.raise_error()
