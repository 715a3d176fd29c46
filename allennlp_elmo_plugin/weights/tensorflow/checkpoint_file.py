"""
The weights of a biLM in a checkpoint, under the names that they have in bilm-tf's HDF5 files.
"""

import logging
import os
from typing import List, Optional, Tuple, Union

import numpy
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.network.spelling import NUM_CHARACTERS
from allennlp_elmo_plugin.weights.dataset_file import DatasetFile
from allennlp_elmo_plugin.weights.tensorflow.tensor_bundle import INDEX_SUFFIX, TensorBundle
from allennlp_elmo_plugin.weights.tensorflow.variable_names import CHAR_EMBED, find_bilm_variables

__all__ = ["CheckpointFile", "is_checkpoint"]

logger = logging.getLogger(__name__)

SOFTMAX_SCOPE = "softmax/"


def is_checkpoint(path: Union[str, "os.PathLike[str]"]) -> bool:
    """
    Returns `True` if a path has the name of a checkpoint's index.

    # Parameters

    path : `Union[str, PathLike]`
        Any path.
    """
    return os.fspath(path).endswith(INDEX_SUFFIX)


class CheckpointFile(DatasetFile):
    """
    A checkpoint or TF-Hub module with a biLM.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the index, whose name ends in `.index`. The files `data-*` are beside it.
    contents : `str`
        Contents that are expected, for the errors.

    # Raises

    `ConfigurationError`
        If the index is damaged, or if its variables are not those of one biLM.
    """

    remedy = "The index and the files 'data-*' beside it must be of the same checkpoint."

    def __init__(self, path: Union[str, "os.PathLike[str]"], contents: str) -> None:
        self._path = path
        self._bundle = TensorBundle(path, contents)
        try:
            self._variables, is_padded = find_bilm_variables(self._bundle.names)
        except ConfigurationError as error:
            raise ConfigurationError(f"The TensorFlow checkpoint '{path}': {error}") from error
        rows = self._bundle.shape(self._variables[CHAR_EMBED])[:1]
        self._is_padded = is_padded and rows == (NUM_CHARACTERS + 1,)

    @property
    @overrides
    def names(self) -> List[str]:
        # The softmax of a checkpoint is no surprise, so it is not listed. It can be read.
        return sorted(name for name in self._variables if not name.startswith(SOFTMAX_SCOPE))

    def __contains__(self, name: object) -> bool:
        return name in self._variables

    @overrides
    def shape(self, name: str) -> Optional[Tuple[int, ...]]:
        shape = self._bundle.shape(self._variables[name])
        if name == CHAR_EMBED and self._is_padded:
            return (NUM_CHARACTERS, *shape[1:])
        return shape

    @overrides
    def problem(self, name: str) -> Optional[str]:
        return self._bundle.problem(self._variables[name])

    @overrides
    def read(self, name: str) -> numpy.ndarray:
        array = self._bundle.read(self._variables[name])
        if name == CHAR_EMBED and self._is_padded:
            if array[0].any():
                logger.warning(
                    "'%s' of '%s' begins with a row of numbers other than 0. It is ignored as the "
                    "row of padding.",
                    self._variables[name],
                    self._path,
                )
            return array[1:]
        return array

    @overrides
    def close(self) -> None:
        pass

    @overrides
    def title(self, name: str) -> str:
        return self._variables.get(name, name)
