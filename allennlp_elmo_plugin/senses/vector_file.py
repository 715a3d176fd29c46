"""
The vectors of the occurrences of words in an `.npz` file.
"""

import os
from pathlib import Path
from typing import Iterator, List, Mapping, Union
from zipfile import BadZipFile
from zlib import error as DecompressionError

import numpy
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.find_file import find_file

__all__ = ["VectorFile", "is_vector_file"]

ENDING = ".npz"
DAMAGE = (BadZipFile, DecompressionError, ValueError, EOFError, OSError)


def is_vector_file(location: Union[str, "os.PathLike[str]"]) -> bool:
    """
    Returns `True` for the name of an `.npz` file.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL.

    # Returns

    `bool`
    """
    return os.fspath(location).lower().endswith(ENDING)


class VectorFile(Mapping[str, numpy.ndarray]):
    """
    The arrays of an `.npz` file by their words. Each is read when it is asked for.

    `allennlp elmo --targets` writes such files, and `numpy.savez` and `numpy.savez_compressed`.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of the file.

    # Raises

    `ConfigurationError`
        If there is no such file, or if it is not an `.npz`.
    """

    def __init__(self, location: Union[str, "os.PathLike[str]"]) -> None:
        self._location = os.fspath(location)
        path = Path(find_file(location, "the vectors of words"))
        try:
            # A pickle, which numpy.load refuses so, could run anything.
            self._arrays = numpy.load(path, allow_pickle=False)
            self._words: List[str] = list(self._arrays.files)
        except (*DAMAGE, AttributeError) as error:
            raise ConfigurationError(
                f"Expected an .npz file with an array for each word in '{location}', but it cannot "
                f"be read ({error}). 'allennlp elmo --targets' writes such files."
            ) from error
        self._known = frozenset(self._words)

    def __getitem__(self, word: str) -> numpy.ndarray:
        """
        Reads the vectors of a word.

        # Parameters

        word : `str`
            The word.

        # Returns

        `numpy.ndarray`
            The vectors, of shape (occurrences, dim).

        # Raises

        `KeyError`
            If the file does not have the word.
        `ConfigurationError`
            If the array is damaged, or is none of numbers.
        """
        if word not in self._known:
            raise KeyError(word)
        try:
            return numpy.asarray(self._arrays[word])
        except DAMAGE as error:
            raise ConfigurationError(
                f"Expected the vectors of {word!r} in '{self._location}', but they cannot be read "
                f"({error}). Write the file again."
            ) from error

    def __iter__(self) -> Iterator[str]:
        """Returns an iterator over the words in the order of the file."""
        return iter(self._words)

    def __len__(self) -> int:
        """Returns the number of words."""
        return len(self._words)
