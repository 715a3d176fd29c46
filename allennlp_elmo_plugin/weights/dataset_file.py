"""
The base class of files of weights.
"""

from abc import ABC, abstractmethod
from typing import Any, List, Mapping, Optional, Tuple, TypeVar

import numpy
from allennlp.common.checks import ConfigurationError

__all__ = ["DatasetFile", "Shapes", "listed"]

Shapes = Mapping[str, Tuple[int, ...]]
Self = TypeVar("Self", bound="DatasetFile")

MAX_LISTED = 20
MAX_TEXT = 500


class DatasetFile(ABC):
    """
    A file with named arrays that is open for reading. Use it as a context manager.

    The names are those of bilm-tf's HDF5 files.
    """

    remedy: str = ""
    """Advice for datasets that are there and cannot be read."""

    @property
    @abstractmethod
    def names(self) -> List[str]:
        """Names of the datasets, in order."""

    @abstractmethod
    def __contains__(self, name: object) -> bool:
        """Returns `True` if there is a dataset of this name."""

    @abstractmethod
    def shape(self, name: str) -> Optional[Tuple[int, ...]]:
        """
        Returns the shape of a dataset.

        # Parameters

        name : `str`
            Name of a dataset in the file.

        # Returns

        `Optional[Tuple[int, ...]]`
            The shape, or `None` if the dataset holds no array of its own.
        """

    @abstractmethod
    def problem(self, name: str) -> Optional[str]:
        """
        Returns why a dataset cannot be read, or `None`. Its data is not read for this.

        # Parameters

        name : `str`
            Name of a dataset in the file.
        """

    @abstractmethod
    def read(self, name: str) -> numpy.ndarray:
        """
        Reads a dataset in which `problems` found none.

        # Parameters

        name : `str`
            Name of the dataset.

        # Returns

        `numpy.ndarray`
            The whole dataset, float in the machine's own byte order. Each number is finite, also
            as a float32.

        # Raises

        `ConfigurationError`
            If the data is damaged or a number is not finite.
        """

    def read_text(self, name: str) -> str:
        """
        Reads a text, which is stored as the bytes of its UTF-8 form.

        # Parameters

        name : `str`
            Name of a dataset of uint8 with one axis.

        # Returns

        `str`
            The text.

        # Raises

        `ConfigurationError`
            If there is no such dataset, or if it is damaged or not in UTF-8.
        """
        raise ConfigurationError(
            f"Expected the text '{name}', but only an HDF5 file of this plugin can hold one. Use "
            "the options file that belongs to these weights."
        )

    @abstractmethod
    def close(self) -> None:
        """Closes the file."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def title(self, name: str) -> str:
        """
        Returns the name by which errors call a dataset.

        # Parameters

        name : `str`
            Name of the dataset.
        """
        return name

    def found_instead(self, name: str) -> str:
        """
        Returns what lies in the place of a missing dataset, or `""`.

        # Parameters

        name : `str`
            Name of the dataset.
        """
        return ""

    def problems(self, expected: Shapes) -> List[str]:
        """
        Describes every dataset that is missing, cannot be read, or has another shape than expected.

        # Parameters

        expected : `Mapping[str, Tuple[int, ...]]`
            Shapes of the datasets by name.

        # Returns

        `List[str]`
            One line for each such dataset.
        """
        missing, unreadable, mis_shaped = [], [], []
        for name, shape in expected.items():
            if name not in self:
                found = self.found_instead(name)
                found = found and f", got {found}"
                missing.append(f"missing: {self.title(name)}, expected shape {shape}{found}")
                continue
            found_shape = self.shape(name)
            if found_shape not in (None, shape):
                mis_shaped.append(
                    f"mis-shaped: {self.title(name)}, expected {shape}, got {found_shape}"
                )
                continue
            problem = self.problem(name)
            if problem:
                unreadable.append(f"unreadable: {self.title(name)}, {problem}")
        return missing + mis_shaped + unreadable


def listed(lines: List[str]) -> str:
    """
    Joins the first lines of a list for an error message.

    # Parameters

    lines : `List[str]`
        Any number of lines.

    # Returns

    `str`
        The first lines, indented, each of bounded length, and the number of the others.
    """
    shown = [line[:MAX_TEXT] for line in lines[:MAX_LISTED]]
    if len(lines) > MAX_LISTED:
        shown.append(f"and {len(lines) - MAX_LISTED} more")
    return "\n  ".join(shown)
