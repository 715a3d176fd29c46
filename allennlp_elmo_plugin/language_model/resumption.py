"""
Resuming a training as if it had not been interrupted.
"""

import random
from typing import Any, Dict, List, Optional, Tuple

import torch
from allennlp.training import TrainerCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from allennlp.training.trainer import TrainerCheckpoint
from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.carry import CarryState
from allennlp_elmo_plugin.io.processes import gather_from_processes, rank_of_process
from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.language_model.corpus_reader import BilmCorpusReader
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["BilmResumption"]


@TrainerCallback.register("bilm_resumption")
class BilmResumption(TrainerCallback):
    """
    A trainer callback that saves random states and LSTM states.

    Each checkpoint gets the states of the random number generators, which dropout, the sampled
    softmax and the order of the batches use; the LSTM states of a `bidirectional_lm`'s training
    streams; and those that an embedder's `carry` remembers. A training on one processor that is
    resumed with `--recover` then ends with the same numbers as one that ran through. In a
    distributed training the checkpoint of each machine has the states of all processes.

    The callback also tells a `bilm_corpus` that workers read which pass over the corpus begins.

    Registered as a `TrainerCallback` with name "bilm_resumption". It is a default callback: no
    config has to name it.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._restored: Dict[str, Any] = {}
        self._start_of_epoch: Dict[str, Any] = {}
        self._gathered: List[Dict[str, Any]] = []

    @overrides
    def on_start(
        self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs: Any
    ) -> None:
        """
        Restores the states of streams, and those of random number generators when they are due.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer. It has restored its checkpoint, if there is one.
        is_primary : `bool`, optional (default = `True`)
            `True` in the process of a machine that saves checkpoints.
        """
        super().on_start(trainer, is_primary, **kwargs)
        _set_num_passes(trainer, trainer._start_after_epochs_completed)
        self._start_of_epoch = _random_states()
        self._gather_for_checkpoints(trainer)
        if not self._restored:
            return
        if isinstance(trainer.model, BidirectionalLm):
            trainer.model.training_streams.load_state_dict(self._restored["streams"])
        self._restore_when_due(trainer)

    def _gather_for_checkpoints(self, trainer: GradientDescentTrainer) -> None:
        """Lets all processes exchange their states whenever the trainer makes a checkpoint."""
        get_checkpoint_state = trainer.get_checkpoint_state

        # Only the first process of a machine is asked for the state of its callbacks.
        def patched() -> Optional[TrainerCheckpoint]:
            self._gathered = gather_from_processes(self._states())
            return get_checkpoint_state()

        vars(trainer).update(get_checkpoint_state=patched)

    def _restore_when_due(self, trainer: GradientDescentTrainer) -> None:
        """
        Lets the trainer set the random states where the checkpoint's epoch and next batch begin.

        Until then AllenNLP draws again what it drew before the checkpoint.
        """
        restored, train_epoch, batch_outputs = (
            self._restored,
            trainer._train_epoch,
            trainer.batch_outputs,
        )

        # Checkpoints of older versions have no states from the start of the epoch.
        has_start = "start_of_epoch" in restored

        def patched_epoch(epoch: int) -> Dict[str, float]:
            if epoch == trainer._start_after_epochs_completed and has_start:
                self._start_of_epoch = restored["start_of_epoch"]
                _set_random_states(self._start_of_epoch)
            return train_epoch(epoch)

        def patched_batch(batch: Any, for_training: bool) -> Dict[str, torch.Tensor]:
            if for_training:
                vars(trainer).update(batch_outputs=batch_outputs)
                # At the start of an epoch the order of its batches is drawn by now.
                if trainer._start_after_batches_in_epoch_completed or not has_start:
                    _set_random_states(restored)
                _set_carried_states(trainer.model, restored.get("carried", []))
            return batch_outputs(batch, for_training)

        vars(trainer).update(_train_epoch=patched_epoch, batch_outputs=patched_batch)

    @overrides
    def on_epoch(
        self,
        trainer: GradientDescentTrainer,
        metrics: Dict[str, Any],
        epoch: int,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        """
        Remembers the random states, and tells the reader which pass over the corpus begins.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        metrics : `Dict[str, Any]`
            Ignored.
        epoch : `int`
            Number of the epoch that ended, from 0.
        is_primary : `bool`, optional (default = `True`)
            Ignored.
        """
        _set_num_passes(trainer, epoch + 1)
        self._start_of_epoch = _random_states()

    @overrides
    def state_dict(self) -> Dict[str, Any]:
        """
        Returns the states that a checkpoint stores.

        # Returns

        `Dict[str, Any]`
            `cpu`, `cuda` and `python`, the states of the random number generators;
            `start_of_epoch`, the same where the epoch began; `carried`, the states that `carry`
            remembers; for a `bidirectional_lm` also `streams`, the state dict of the training
            streams. In a distributed training there is only `processes`, a list of such states in
            the order of the ranks. Empty before the training starts.
        """
        if self.trainer is None:
            return {}
        if len(self._gathered) > 1:
            return {"processes": self._gathered}
        return self._states()

    def _states(self) -> Dict[str, Any]:
        """Returns the states of this process."""
        assert self.trainer is not None
        states = {
            **_random_states(),
            "start_of_epoch": self._start_of_epoch,
            "carried": _carried_states(self.trainer.model),
        }
        if isinstance(self.trainer.model, BidirectionalLm):
            states["streams"] = self.trainer.model.training_streams.state_dict()
        return states

    @overrides
    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """
        Receives the states that a checkpoint stored. `on_start` restores them.

        # Parameters

        state_dict : `Dict[str, Any]`
            Content returned by `state_dict`.
        """
        # Checkpoints of older versions have the states of one process. Others then start anew.
        processes = state_dict.get("processes", [state_dict])
        rank = rank_of_process()
        self._restored = processes[rank] if rank < len(processes) else {}


def _random_states() -> Dict[str, Any]:
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
    }


def _set_random_states(states: Dict[str, Any]) -> None:
    torch.set_rng_state(states["cpu"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
    # Checkpoints of older versions have none.
    if "python" in states:
        random.setstate(states["python"])


def _carried_states(model: torch.nn.Module) -> List[Optional[Tuple[torch.Tensor, ...]]]:
    carries = [module for module in model.modules() if isinstance(module, CarryState)]
    remembered = [carry.remembered for carry in carries]
    # Not a class of this package, which `torch.load` would refuse.
    return [None if state is None else tuple(part.cpu() for part in state) for state in remembered]


def _set_carried_states(
    model: torch.nn.Module, states: List[Optional[Tuple[torch.Tensor, ...]]]
) -> None:
    carries = [module for module in model.modules() if isinstance(module, CarryState)]
    for carry, state in zip(carries, states):
        carry.remembered = None if state is None else LstmState(*state)


def _set_num_passes(trainer: GradientDescentTrainer, num_passes: int) -> None:
    """Sets the reader's count of passes, if workers read the corpus."""
    # A reader in this process counts by itself. Workers are restarted for each pass and get a copy
    # of the reader.
    reader = getattr(trainer.data_loader, "reader", None)
    if isinstance(reader, BilmCorpusReader) and getattr(trainer.data_loader, "num_workers", False):
        reader.num_passes = num_passes
