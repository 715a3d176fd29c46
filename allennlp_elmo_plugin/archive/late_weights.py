"""
Weights that come from an archive or a checkpoint after the module is built.
"""

import logging
from typing import Callable, Optional, Sequence

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.archive.facts import is_extracted_archive

__all__ = ["missing_weights"]

logger = logging.getLogger(__name__)


def missing_weights(
    serialization_dir: Optional[str], find_files: Sequence[Callable[[], object]]
) -> Optional[str]:
    """
    Returns the reason why a module has to be built without its files, if there is one.

    # Parameters

    serialization_dir : `Optional[str]`
        The folder that AllenNLP hands to a constructor.
    find_files : `Sequence[Callable[[], object]]`
        Functions that find the module's files, or raise a `ConfigurationError`.

    # Returns

    `Optional[str]`
        The reason why the weights come later, or `None` if the files are to be read. An archive
        that is being loaded holds all weights, so the files are not looked for. In the folder of a
        training the files are read as long as they are there.
    """
    if is_extracted_archive(serialization_dir):
        return f"the archive in '{serialization_dir}' has none"
    try:
        for find in find_files:
            find()
    except ConfigurationError as error:
        logger.warning("%s The weights are expected from '%s'.", error, serialization_dir)
        return str(error)
    return None
