"""
Comparison of a recovered training's results with those of an unbroken one.
"""

import json
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import torch
from allennlp.training.checkpointer import Checkpointer

from allennlp_elmo_plugin.io.torch_files import load_torch_file

__all__ = ["differences", "newest_checkpoint", "read_metrics"]

# Times and memory differ from run to run.
VARYING = ("duration", "memory_MB", "tokens_per_second")
WEIGHTS = "weights.th"


def newest_checkpoint(folder: Path) -> Optional[Tuple[int, int]]:
    """
    Returns the epochs and batches that the newest checkpoint has completed, if there is one.

    # Parameters

    folder : `Path`
        The folder of a training.
    """
    return max(Checkpointer(str(folder))._find_all_checkpoints(), default=None)


def read_metrics(folder: Path, training: bool) -> Dict[str, Any]:
    """
    Reads the final metrics of a training.

    # Parameters

    folder : `Path`
        The folder of the training.
    training : `bool`
        If `True`, with the metrics of the last epoch's training.
    """
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {
        key: value
        for key, value in metrics.items()
        if not any(part in key for part in VARYING)
        and (training or not key.startswith("training_"))
    }


def _read_weights(folder: Path, scratch: Path) -> Dict[str, Dict[str, torch.Tensor]]:
    """Returns the weights of the archive, of `best.th` and of the last checkpoint."""
    with tarfile.open(folder / "model.tar.gz") as archive:
        member = archive.extractfile(WEIGHTS)
        assert member is not None
        (scratch / WEIGHTS).write_bytes(member.read())
    newest = newest_checkpoint(folder)
    assert newest is not None
    files = [scratch / WEIGHTS, folder / "best.th"]
    files.append(folder / "model_state_e{}_b{}.th".format(*newest))
    return {path.name: load_torch_file(path) for path in files}


def differences(expected: Path, found: Path, scratch: Path, training: bool) -> List[str]:
    """
    Compares all results of two trainings, to the bit.

    # Parameters

    expected, found : `Path`
        The folders of the trainings.
    scratch : `Path`
        A folder for temporary files.
    training : `bool`
        If `True`, also compare the metrics of the last epoch's training.

    # Returns

    `List[str]`
        A description of each difference.
    """
    metrics = [read_metrics(folder, training) for folder in (expected, found)]
    differing = [
        f"{key}: {metrics[0].get(key)} became {metrics[1].get(key)}"
        for key in sorted(metrics[0].keys() | metrics[1].keys())
        if metrics[0].get(key) != metrics[1].get(key)
    ]
    weights = [_read_weights(folder, scratch) for folder in (expected, found)]
    if weights[0].keys() != weights[1].keys():
        return [*differing, f"files {sorted(weights[0])} became {sorted(weights[1])}"]
    for file, tensors in weights[0].items():
        for name, tensor in tensors.items():
            other = weights[1][file].get(name)
            if other is None or not torch.equal(tensor, other):
                size = "missing" if other is None else f"{(tensor - other).abs().max():.1e}"
                differing.append(f"{name} of {file}: {size}")
    return differing
