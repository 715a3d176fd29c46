"""
A patch for `Checkpointer`: a checkpoint is two whole files, or it does not count.

AllenNLP writes the model's state first, and takes it for a checkpoint. After a kill between the two
files, every `--recover` fails. On several machines, each writes checkpoints, but only the first
removes old ones, and after a kill each continues from its own newest one.
"""

import logging
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

import torch.distributed
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import is_distributed
from allennlp.training.checkpointer import Checkpointer

from allennlp_elmo_plugin.io.processes import gather_from_processes, wait_for_processes
from allennlp_elmo_plugin.io.torch_files import DamagedFileError, damage_of, save_torch_file
from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_checkpoints"]

logger = logging.getLogger(__name__)

DAMAGED = ".damaged"
"""Suffix of the name of a damaged checkpoint."""

Point = Tuple[int, int]


class _Pair(NamedTuple):
    """
    The two files of a checkpoint.

    # Parameters

    model : `str`
        Path of the model's state.
    training : `str`
        Path of the trainer's state.
    """

    model: str
    training: str


def _pair(checkpointer: Checkpointer, point: Point) -> _Pair:
    return _Pair(checkpointer._model_state_path(*point), checkpointer._training_state_path(*point))


def _shards(checkpointer: Checkpointer, pair: _Pair) -> List[str]:
    """Returns the files of a checkpoint, which are two for each process if it is sharded."""
    if not checkpointer.state_is_sharded:
        return list(pair)
    own = f"_w{checkpointer._rank}.th"
    ranks = range(torch.distributed.get_world_size())
    return [f"{path[: -len(own)]}_w{rank}.th" for path in pair for rank in ranks]


@contextmanager
def _as_first(checkpointer: Checkpointer, is_primary: bool) -> Iterator[None]:
    """Lets the first process of each machine remove old checkpoints, as that of the first does."""
    rank = checkpointer._rank
    # The ranks of shards are part of their names.
    if is_primary and not checkpointer.state_is_sharded:
        checkpointer._rank = 0
    try:
        yield
    finally:
        checkpointer._rank = rank


def _patch_save(save_checkpoint: Method) -> Method:
    def patched(self: Checkpointer, trainer: Any) -> None:
        state = trainer.get_checkpoint_state()
        if state is None:
            # AllenNLP notes this only where a file is written, and soon saves again elsewhere.
            self._last_save_num_epochs_completed = trainer._epochs_completed
            self._last_save_num_batches_in_epoch_completed = trainer._batches_in_epoch_completed
        else:
            pair = _pair(
                self,
                (
                    state.trainer_state["epochs_completed"],
                    state.trainer_state["batches_in_epoch_completed"],
                ),
            )
            # The model's state is what AllenNLP takes for a checkpoint, so it comes last.
            if not os.path.isfile(pair.training):
                save_torch_file(state.trainer_state, pair.training)
            if not os.path.isfile(pair.model):
                save_torch_file(state.model_state, pair.model)
        # No machine removes an old checkpoint before all machines have the new one.
        wait_for_processes()
        # AllenNLP finds both files, and removes old checkpoints.
        with _as_first(self, state is not None):
            save_checkpoint(self, SimpleNamespace(get_checkpoint_state=lambda: state))

    return patched


def _patch_remove(remove_checkpoint: Method) -> Method:
    def patched(self: Checkpointer, epochs_completed: int, batches_in_epoch_completed: int) -> None:
        # AllenNLP's pattern for batch 1 also matches batch 10, which may be the newest.
        point = (epochs_completed, batches_in_epoch_completed)
        parsers = (self._parse_model_state_path, self._parse_training_state_path)
        for parse in parsers:
            for path in Path(self._serialization_dir).glob("*.th"):
                if parse(path.name) == point:
                    path.unlink()

    return patched


@contextmanager
def _latest(checkpointer: Checkpointer, pair: _Pair) -> Iterator[None]:
    """Lets the checkpointer find this pair as the latest one."""
    vars(checkpointer)["find_latest_checkpoint"] = lambda: tuple(pair)
    try:
        yield
    finally:
        del vars(checkpointer)["find_latest_checkpoint"]


def _missing_part(checkpointer: Checkpointer, pair: _Pair) -> Optional[str]:
    missing = [path for path in _shards(checkpointer, pair) if not os.path.isfile(path)]
    return f"'{missing[0]}' is missing" if missing else None


def _damaged_file(paths: Iterable[str]) -> Optional[str]:
    for path in paths:
        damage = damage_of(path)
        if damage is not None:
            return f"'{path}': {damage}"
    return None


def _damaged_shard(checkpointer: Checkpointer, pair: _Pair) -> Optional[str]:
    """Looks into the files of other processes, so that all processes choose the same pair."""
    return _damaged_file(path for path in _shards(checkpointer, pair) if path not in pair)


def _missing_elsewhere(checkpointer: Checkpointer) -> Dict[_Pair, str]:
    """
    Returns the checkpoints that are whole here, but not in the folder of every process.

    A kill may come when one machine has written a checkpoint and another one has not. All of them
    must continue from the same one.
    """
    if not is_distributed():
        return {}
    whole: Set[Point] = set()
    for point in checkpointer._find_all_checkpoints():
        pair = _pair(checkpointer, point)
        is_complete = _missing_part(checkpointer, pair) is None
        if is_complete and _damaged_file(_shards(checkpointer, pair)) is None:
            whole.add(point)
    gathered = gather_from_processes(whole)
    common = set.intersection(*gathered)
    if any(gathered) and not common:
        found = ", ".join(f"{rank}: {sorted(points)}" for rank, points in enumerate(gathered))
        raise ConfigurationError(
            "Expected a whole checkpoint that every machine has, to continue from. The processes "
            f"have these pairs of epochs and batches: {found}. Copy the folder of a machine that "
            "has a checkpoint to those that lack it."
        )
    return {
        _pair(
            checkpointer, point
        ): f"'{_pair(checkpointer, point).model}': another machine has none"
        for point in whole - common
    }


def _set_aside(checkpointer: Checkpointer, skipped: Dict[_Pair, str], used: _Pair) -> None:
    """Renames skipped checkpoints, so that they are neither counted nor taken for new ones."""
    for pair in skipped:
        for path in _shards(checkpointer, pair):
            # Another process of the training does the same, perhaps at this moment.
            with suppress(FileNotFoundError):
                os.replace(path, path + DAMAGED)
    if skipped:
        logger.warning(
            "The training continues from '%s', the newest checkpoint that is whole. Skipped, and "
            "renamed to names that end in '%s', which you may delete: %s",
            used.model,
            DAMAGED,
            "; ".join(skipped.values()),
        )


def _remove_lone_training_states(checkpointer: Checkpointer) -> None:
    """Removes what a kill left between the two files of a checkpoint."""
    points = checkpointer._find_all_checkpoints()
    for path in Path(checkpointer._serialization_dir).glob("training_state_e*_b*.th"):
        point = checkpointer._parse_training_state_path(path.name)
        if point is not None and point not in points:
            # Another process of the training does the same.
            path.unlink(missing_ok=True)


def _patch_load(load_checkpoint: Method) -> Method:
    def patched(self: Checkpointer, *args: Any, **kwargs: Any) -> Any:
        missing_elsewhere = _missing_elsewhere(self)
        latest = self.find_latest_checkpoint()
        if latest is None:
            _remove_lone_training_states(self)
            return load_checkpoint(self, *args, **kwargs)
        older = (_pair(self, point) for point in sorted(self._find_all_checkpoints(), reverse=True))
        skipped: Dict[_Pair, str] = {}
        state, used = None, None
        for pair in dict.fromkeys([_Pair(*latest), *older]):
            damage = _missing_part(self, pair) or missing_elsewhere.get(pair)
            if damage is None and used is None:
                damage = _damaged_shard(self, pair)
                try:
                    if damage is None:
                        with _latest(self, pair):
                            state, used = load_checkpoint(self, *args, **kwargs), pair
                except DamagedFileError as error:
                    damage = str(error)
            if damage is not None:
                skipped[pair] = damage
        if used is None:
            raise ConfigurationError(
                f"Expected a whole checkpoint in '{self._serialization_dir}' to continue from, but "
                f"found none: {'; '.join(skipped.values())} Put back copies of the files; or, to "
                "begin this training anew, delete its files 'model_state_*.th' and "
                "'training_state_*.th' and run the same command again."
            )
        _set_aside(self, skipped, used)
        _remove_lone_training_states(self)
        return state

    return patched


def patch_checkpoints() -> None:
    """
    Lets `Checkpointer` continue from the newest checkpoint that is whole.

    A checkpoint counts when both of its files are there, so a kill between them leaves the older
    one the newest. Damaged files are renamed, and a warning names them. Removing an old checkpoint
    removes no newer one. On several machines, each keeps as many checkpoints as the first, and a
    checkpoint counts when all of them have it.
    """
    replace_method(Checkpointer, "save_checkpoint", _patch_save)
    replace_method(Checkpointer, "load_checkpoint", _patch_load)
    replace_method(Checkpointer, "_remove_checkpoint", _patch_remove)
