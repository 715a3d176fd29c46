"""
A patch for `allennlp train --recover`: a recovered training ends where an unbroken one does.

AllenNLP copies the best weights after the checkpoint, so a kill between the two loses them. It
trains one more epoch after a training that had stopped early, and forgets the metrics of one that
was complete.
"""

import json
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.training import gradient_descent_trainer
from allennlp.training.callbacks import ShouldValidateCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from allennlp.training.trainer import TrainerCheckpoint

from allennlp_elmo_plugin.io.torch_files import damage_of
from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_recover"]

logger = logging.getLogger(__name__)

IS_BEST = "allennlp_elmo_plugin.is_best"
"""Key of a trainer's state: `True` if the checkpoint's weights are to be the best ones."""


def _patch_checkpoint_state(get_checkpoint_state: Method) -> Method:
    def patched(self: GradientDescentTrainer) -> Optional[TrainerCheckpoint]:
        state = get_checkpoint_state(self)
        if state is not None:
            state.trainer_state[IS_BEST] = (
                self._batches_in_epoch_completed == 0
                and self._should_validate_this_epoch
                and self._metric_tracker.is_best_so_far()
            )
        return state

    return patched


@contextmanager
def _loaded_states(trainer: GradientDescentTrainer) -> Iterator[List[TrainerCheckpoint]]:
    """Yields a list that gets the checkpoint that the trainer loads within the `with` block."""
    loaded: List[TrainerCheckpoint] = []
    checkpointer: Any = trainer._checkpointer
    if checkpointer is None:
        yield loaded
        return
    load = checkpointer.load_checkpoint

    def remember() -> Optional[TrainerCheckpoint]:
        state = load()
        loaded.extend([] if state is None else [state])
        return state

    vars(checkpointer)["load_checkpoint"] = remember
    try:
        yield loaded
    finally:
        del vars(checkpointer)["load_checkpoint"]


def _patch_restore(restore: Method) -> Method:
    def patched(self: GradientDescentTrainer) -> None:
        with _loaded_states(self) as loaded:
            restore(self)
        for state in loaded:
            _restore_best_weights(self, state.trainer_state)
            at_end_of_epoch = self._start_after_batches_in_epoch_completed == 0
            if at_end_of_epoch and self._metric_tracker.should_stop_early():
                # AllenNLP looks at the patience after an epoch that it has trained.
                self._num_epochs = min(self._num_epochs, self._start_after_epochs_completed)

    return patched


def _restore_best_weights(trainer: Any, state: Dict[str, Any]) -> None:
    """Lets `best.th` be the file that it was when the checkpoint was complete."""
    if trainer._serialization_dir is None:
        return
    best = trainer._best_model_filename
    if best is not None:
        # The folder may have been moved, or named by another relative path.
        best = os.path.join(trainer._serialization_dir, os.path.basename(best))
        trainer._best_model_filename = best
    wrapped = trainer._ddp_wrapped_model
    is_sharded = wrapped is not None and wrapped.is_sharded
    name = f"best_w{trainer._rank}.th" if is_sharded else "best.th"
    path = os.path.join(trainer._serialization_dir, name)
    damage = _damage_of_best(path) if best is not None else None
    # Checkpoints that were written without this patch do not say whether they are the best.
    is_best = state.get(IS_BEST)
    if is_best is None and damage is not None:
        at_end_of_epoch = trainer._start_after_batches_in_epoch_completed == 0
        is_best = at_end_of_epoch and trainer._metric_tracker.is_best_so_far()
    if is_best:
        trainer._best_model_filename = path
        if trainer._primary or is_sharded:
            _write_best_weights(trainer, path)
    elif damage is not None and (trainer._primary or is_sharded):
        raise ConfigurationError(
            f"Expected the best weights so far in '{path}', but {damage}. The checkpoint is whole, "
            "but without these weights the training would end with others. Put back a copy of the "
            "file, or begin anew in another folder."
        )


def _damage_of_best(path: str) -> Optional[str]:
    return damage_of(path) if os.path.exists(path) else "it is missing"


def _write_best_weights(trainer: GradientDescentTrainer, path: str) -> None:
    """Makes `best.th` from the checkpoint that the trainer has loaded, as after an epoch."""
    average = trainer._moving_average
    if average is not None:
        average.assign_average_value()
        try:
            trainer._save_model_state(path)
        finally:
            average.restore()
        return
    assert trainer._checkpointer is not None
    latest = trainer._checkpointer.find_latest_checkpoint()
    assert latest is not None
    gradient_descent_trainer.hardlink_or_copy(latest[0], path)


def _patch_try_train(try_train: Method) -> Method:
    def patched(self: Any) -> Tuple[Dict[str, Any], int]:
        metrics, epoch = try_train(self)
        # No epoch was left to train.
        if self._serialization_dir is not None and "epoch" not in metrics:
            metrics = {**_metrics_of_epoch(self._serialization_dir, epoch), **metrics}
        return metrics, epoch

    return patched


def _metrics_of_epoch(folder: str, epoch: int) -> Dict[str, Any]:
    path = Path(folder) / f"metrics_epoch_{epoch}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        logger.warning(
            "The training was complete, but the metrics of its last epoch cannot be read from "
            "'%s' (%s). 'metrics.json' will lack them.",
            path,
            error,
        )
        return {}


def _patch_should_validate(on_start: Method) -> Method:
    def patched(self: Any, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        on_start(self, trainer, is_primary=is_primary, **kwargs)
        # AllenNLP looks up epoch 0.
        trainer._should_validate_this_epoch = self._should_validate(
            epoch=trainer._start_after_epochs_completed
        )

    return patched


def patch_recover() -> None:
    """
    Lets the trainer restore `best.th`, early stopping, metrics and the interval of validation.

    If the best weights are damaged and no checkpoint has them, a `ConfigurationError` says so
    before the training goes on.
    """
    replace_method(GradientDescentTrainer, "get_checkpoint_state", _patch_checkpoint_state)
    replace_method(GradientDescentTrainer, "_maybe_restore_checkpoint", _patch_restore)
    replace_method(GradientDescentTrainer, "_try_train", _patch_try_train)
    replace_method(ShouldValidateCallback, "on_start", _patch_should_validate)
