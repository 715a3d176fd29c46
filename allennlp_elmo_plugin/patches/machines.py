"""
A patch for trainings on several machines: those that do not fit together end with an error.

Each machine makes a vocabulary from its own copy of the text, and reads its own config. Where they
differ, AllenNLP trains one word as another, or each machine a model of its own.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.models.archival import CONFIG_NAME
from allennlp.nn.parallel.ddp_accelerator import TorchDdpAccelerator
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer

from allennlp_elmo_plugin.io.processes import gather_from_processes
from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_machines"]

MAY_DIFFER = ("train_data_path", "validation_data_path", "test_data_path", "distributed")
"""Keys of a config that can have other values on another machine."""


Words = Dict[str, Tuple[int, str]]
"""The number of words of each namespace, and a checksum of them."""


def _patch_wrap_model(wrap_model: Method) -> Method:
    def patched(self: Any, model: Model) -> Any:
        _require_one_vocabulary(gather_from_processes(_words(model.vocab)))
        return wrap_model(self, model)

    return patched


def _words(vocabulary: Vocabulary) -> Words:
    found: Words = {}
    for namespace in sorted(vocabulary.get_namespaces()):
        words = sorted(vocabulary.get_index_to_token_vocabulary(namespace).items())
        checksum = hashlib.sha256(json.dumps(words).encode("utf-8")).hexdigest()
        found[namespace] = len(words), checksum
    return found


def _require_one_vocabulary(gathered: List[Words]) -> None:
    first = gathered[0]
    for rank, other in enumerate(gathered):
        names = sorted(name for name in {**first, **other} if first.get(name) != other.get(name))
        if names:
            sizes = [[words.get(name, (0, ""))[0] for name in names] for words in (first, other)]
            raise ConfigurationError(
                f"Expected one vocabulary in all processes, but in the namespaces {names} process "
                f"{rank} has {sizes[1]} words, and process 0 has {sizes[0]}, or others. Each "
                "machine makes the vocabulary from its own copy of the text. Give all machines the "
                "same text under the same file names; or copy one folder 'vocabulary' to all of "
                "them, and name it in the config by the vocabulary 'from_files'."
            )


def _patch_train(train: Method) -> Method:
    def patched(self: Any) -> Dict[str, Any]:
        if self._distributed and self._serialization_dir is not None:
            _require_one_training(self._serialization_dir, self._primary)
        return train(self)

    return patched


def _require_one_training(serialization_dir: str, is_primary: bool) -> None:
    """Requires equal configs, and a folder for each machine."""
    path = Path(serialization_dir) / CONFIG_NAME
    # A training that no command has started has no config.
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    facts = (_flat(config), _identity(path) if is_primary and config else None)
    gathered = gather_from_processes(facts)
    first, _ = gathered[0]
    for rank, (other, _) in enumerate(gathered):
        keys = sorted(key for key in {**first, **other} if first.get(key) != other.get(key))
        if keys:
            raise ConfigurationError(
                f"Expected one config in all processes, but process {rank} has another than "
                f"process 0 in {keys}. Run the same config on all machines; only 'distributed' and "
                "the paths of the data may differ."
            )
    folders = [folder for _, folder in gathered if folder is not None]
    if len(set(folders)) < len(folders):
        raise ConfigurationError(
            f"Expected a folder for each machine, but several machines train in the same one, here "
            f"'{serialization_dir}'. Each machine writes all files of the training, so give each "
            "its own '--serialization-dir', also on a shared disk."
        )


def _flat(config: Dict[str, Any]) -> Dict[str, str]:
    """Returns the values of a config by their keys with dots, without those that may differ."""
    flat: Dict[str, str] = {}
    rest: List[Tuple[str, Any]] = [
        (key, value) for key, value in config.items() if key not in MAY_DIFFER
    ]
    while rest:
        name, value = rest.pop()
        if isinstance(value, dict) and value:
            rest.extend((f"{name}.{key}", below) for key, below in value.items())
        else:
            flat[name] = json.dumps(value)
    return flat


def _identity(path: Path) -> Tuple[int, int]:
    """Returns what only one file on a disk has, from whichever machine it is looked at."""
    # The number of the disk differs from machine to machine.
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns


def patch_machines() -> None:
    """
    Lets a distributed training start only with one vocabulary and one config in all processes.

    Each machine must have a folder of its own, since each writes all files of the training.
    """
    replace_method(TorchDdpAccelerator, "wrap_model", _patch_wrap_model)
    replace_method(GradientDescentTrainer, "train", _patch_train)
