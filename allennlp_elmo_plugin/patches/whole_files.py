"""
A patch for the other files of a training: they appear complete or not at all.

These are `config.json`, `meta.json`, the metrics, `model.tar.gz`, the copy of a checkpoint that is
`best.th`, and the vocabulary.
"""

import logging
import os
from pathlib import Path
from typing import Any, Dict, Optional, Union

from allennlp import models
from allennlp.commands import train
from allennlp.common import Params
from allennlp.common import util as common_util
from allennlp.common.file_utils import FileLock
from allennlp.common.meta import Meta
from allennlp.data import Vocabulary
from allennlp.data.vocabulary import NAMESPACE_PADDING_FILE
from allennlp.evaluation import evaluator
from allennlp.models import archival
from allennlp.training import gradient_descent_trainer
from allennlp.training import util as training_util

from allennlp_elmo_plugin.io.atomic import write_atomically, write_together
from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_whole_files"]

logger = logging.getLogger(__name__)

AnyPath = Union[str, "os.PathLike[str]"]


def _replaceable(path: AnyPath) -> Optional[Path]:
    """Returns the path of a file to replace, or `None` for a device such as `/dev/stdout`."""
    target = Path(os.path.realpath(path))
    return target if target.is_file() or not target.exists() else None


def _patch_to_file(to_file: Method) -> Method:
    def patched(self: Any, path: AnyPath, *args: Any, **kwargs: Any) -> None:
        target = _replaceable(path)
        if target is None:
            to_file(self, path, *args, **kwargs)
            return
        with write_atomically(target) as partial:
            to_file(self, str(partial), *args, **kwargs)

    return patched


def _patch_params(to_file: Method) -> Method:
    write = _patch_to_file(to_file)

    def patched(self: Params, params_file: AnyPath, *args: Any, **kwargs: Any) -> None:
        write(self, params_file, *args, **kwargs)

    return patched


def _patch_dump_metrics(dump: Method) -> Method:
    def patched(file_path: Optional[str], metrics: Dict[str, Any], log: bool = False) -> None:
        target = _replaceable(file_path) if file_path else None
        if target is None:
            dump(file_path, metrics, log)
            return
        with write_atomically(target) as partial:
            dump(str(partial), metrics, log)

    return patched


def _patch_archive_model(archive_model: Method) -> Method:
    def patched(
        serialization_dir: AnyPath,
        weights: str = archival._DEFAULT_WEIGHTS,
        archive_path: Optional[AnyPath] = None,
        *args: Any,
        **kwargs: Any,
    ) -> str:
        path = Path(serialization_dir if archive_path is None else archive_path)
        if archive_path is None or path.is_dir():
            path = path / "model.tar.gz"
        with write_atomically(Path(os.path.realpath(path))) as partial:
            archive_model(serialization_dir, weights, str(partial), *args, **kwargs)
        return str(path)

    return patched


def _patch_copy(copy: Method) -> Method:
    def patched(source: AnyPath, dest: AnyPath) -> None:
        with write_atomically(Path(dest)) as partial:
            copy(source, partial)

    return patched


def _patch_save_vocabulary(save_to_files: Method) -> Method:
    def patched(self: Vocabulary, directory: AnyPath) -> None:
        os.makedirs(directory, exist_ok=True)
        if os.listdir(directory):
            logger.warning("vocabulary serialization directory %s is not empty", directory)
        # Without the last file AllenNLP reads none, so the vocabulary is complete when it comes.
        lock = FileLock(os.path.join(directory, ".lock"))
        with lock, write_together(Path(directory), last=NAMESPACE_PADDING_FILE) as partial:
            save_to_files(self, partial)
            (partial / ".lock").unlink(missing_ok=True)

    return patched


def patch_whole_files() -> None:
    """
    Lets AllenNLP write the files of a training beside their names and rename them when complete.
    """
    replace_method(Params, "to_file", _patch_params)
    replace_method(Meta, "to_file", _patch_to_file)
    for module in (common_util, training_util, evaluator):
        replace_method(module, "dump_metrics", _patch_dump_metrics)
    for module in (archival, models, train):
        replace_method(module, "archive_model", _patch_archive_model)
    replace_method(gradient_descent_trainer, "hardlink_or_copy", _patch_copy)
    replace_method(Vocabulary, "save_to_files", _patch_save_vocabulary)
