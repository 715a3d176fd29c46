"""Trainings on several machines, each of which is a forked child process here."""

import json
import os
import signal
import socket
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import torch
from allennlp.commands import train
from allennlp.common import Params

from tests.support.children import exit_status, start

__all__ = ["train_on_machines"]


def train_on_machines(
    configs: Sequence[Dict[str, Any]], folders: Sequence[Path], recover: bool = False
) -> List[str]:
    """
    Trains as `allennlp train --node-rank` does on each machine, with one process on each.

    # Parameters

    configs : `Sequence[Dict[str, Any]]`
        Config of each machine, without `distributed`.
    folders : `Sequence[Path]`
        Folder of the training on each machine.
    recover : `bool`, optional (default = `False`)
        If `True`, continue a training.

    # Returns

    `List[str]`
        The traceback of the error that ended the training on each machine, or an empty text.
    """
    block = {
        "cuda_devices": [-1],
        "num_nodes": len(folders),
        "primary_address": "127.0.0.1",
        "primary_port": _open_port(),
    }
    children = [
        start(_machine(rank, {**config, "distributed": block}, folder, recover))
        for rank, (config, folder) in enumerate(zip(configs, folders))
    ]
    statuses = [exit_status(child) for child in children]
    errors = [_error_file(folder) for folder in folders]
    texts = [error.read_text() if error.exists() else "" for error in errors]
    assert [bool(text) for text in texts] == [status != 0 for status in statuses], statuses
    return texts


def _machine(rank: int, config: Dict[str, Any], folder: Path, recover: bool) -> Callable[[], None]:
    def run() -> None:
        # Where processes wait for each other, an error may let them wait for half an hour.
        signal.alarm(60)
        # A forked process must not use the threads of its parent.
        torch.set_num_threads(1)
        config["trainer"].pop("cuda_device", None)
        # The only worker of this machine runs here, which saves the time of starting one.
        vars(train.mp)["spawn"] = lambda worker, args, nprocs: worker(0, *args)
        _error_file(folder).unlink(missing_ok=True)
        try:
            params = Params(json.loads(json.dumps(config)))
            train.train_model(params, str(folder), recover=recover, node_rank=rank)
        except BaseException:
            _error_file(folder).write_text(traceback.format_exc())
            os._exit(1)

    return run


def _error_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}_error.txt")


@lru_cache(maxsize=None)
def _open_port() -> int:
    """Returns a port that stays the same, since a training continues with its config."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
