"""
A patch for the folder of a training that was killed before its first checkpoint.

AllenNLP then finds no config, a part of one, or a part of the vocabulary.
"""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Union

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data.vocabulary import NAMESPACE_PADDING_FILE
from allennlp.models.archival import CONFIG_NAME
from allennlp.training import util as training_util

from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_serialization_dir"]

logger = logging.getLogger(__name__)

AnyPath = Union[str, "os.PathLike[str]"]


def _patch(create: Method) -> Method:
    def patched(params: Params, serialization_dir: AnyPath, recover: bool, force: bool) -> None:
        folder = Path(serialization_dir)
        if not recover or force or not folder.is_dir():
            create(params, serialization_dir, recover, force)
            return
        if _has_not_begun(folder):
            logger.warning(
                "The training in '%s' was ended before it wrote its config, so it begins anew.",
                folder,
            )
            return
        _mend_config(params, folder / CONFIG_NAME)
        create(params, serialization_dir, recover, force)
        if "distributed" in params:
            _mend_vocabulary(params, folder)

    return patched


def _has_not_begun(folder: Path) -> bool:
    """Returns `True` for a folder with nothing but what a kill leaves of an unfinished file."""
    return all(path.name.startswith(".") for path in folder.iterdir())


def _mend_config(params: Params, path: Path) -> None:
    """Writes the config again if a kill left only a part of it."""
    if not path.is_file():
        return
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        logger.warning(
            "The config '%s' is cut off or damaged (%s), so it cannot be compared with the one "
            "that is given. It is written again.",
            path,
            error,
        )
        params.to_file(str(path))


def _mend_vocabulary(params: Params, folder: Path) -> None:
    """
    Makes the vocabulary again if a kill left only a part of it.

    A training in one process makes it in any case.
    """
    vocabulary = folder / "vocabulary"
    if (vocabulary / NAMESPACE_PADDING_FILE).is_file():
        return
    logger.warning("The vocabulary in '%s' is not complete, so it is made again.", vocabulary)
    if vocabulary.exists():
        shutil.rmtree(vocabulary)
    try:
        training_util.make_vocab_from_params(params.duplicate(), str(folder))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"The vocabulary in '{vocabulary}' is not complete, and making it again needs the data "
            f"of the training: {error}"
        ) from error


def patch_serialization_dir() -> None:
    """
    Lets `--recover` continue where a training was killed before its first checkpoint.
    """
    replace_method(training_util, "create_serialization_dir", _patch)
