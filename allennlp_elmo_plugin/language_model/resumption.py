"""
Resuming the training of a biLM as if it had not been interrupted.
"""

from typing import Any, Dict

import torch
from allennlp.training import TrainerCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from overrides import overrides

from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.language_model.corpus_reader import BilmCorpusReader

__all__ = ["BilmResumption"]


@TrainerCallback.register("bilm_resumption")
class BilmResumption(TrainerCallback):
    """
    A trainer callback that saves the LSTM and random states of a `bidirectional_lm`'s training.

    Each checkpoint gets the LSTM states of the training streams and the states of PyTorch's random
    number generators, which dropout and the sampled softmax use. A training on one processor that
    is resumed with `--recover` then ends with the same numbers as one that ran through. In a
    distributed training this holds for the first process; the streams of the others start from the
    initial state.

    The callback also tells a `bilm_corpus` that workers read which pass over the corpus begins.

    Registered as a `TrainerCallback` with name "bilm_resumption". It is a default callback: no
    config has to name it.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._restored: Dict[str, Any] = {}

    @overrides
    def on_start(
        self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs: Any
    ) -> None:
        """
        Restores the states of streams and random number generators.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer. It has restored its checkpoint, if there is one.
        is_primary : `bool`, optional (default = `True`)
            `True` in the process that saves checkpoints.
        """
        super().on_start(trainer, is_primary, **kwargs)
        _set_num_passes(trainer, trainer._start_after_epochs_completed)
        if self._restored and is_primary and isinstance(trainer.model, BidirectionalLm):
            trainer.model.training_streams.load_state_dict(self._restored["streams"])
            torch.set_rng_state(self._restored["cpu"])
            if self._restored["cuda"]:
                torch.cuda.set_rng_state_all(self._restored["cuda"])

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
        Tells the reader which pass over the corpus begins.

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

    @overrides
    def state_dict(self) -> Dict[str, Any]:
        """
        Returns the states that a checkpoint stores.

        # Returns

        `Dict[str, Any]`
            `streams`, the state dict of the training streams; `cpu` and `cuda`, the states of the
            random number generators. Empty if the model is not a `bidirectional_lm`.
        """
        if self.trainer is None or not isinstance(self.trainer.model, BidirectionalLm):
            return {}
        return {
            "streams": self.trainer.model.training_streams.state_dict(),
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    @overrides
    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """
        Receives the states that a checkpoint stored. `on_start` restores them.

        # Parameters

        state_dict : `Dict[str, Any]`
            Content returned by `state_dict`.
        """
        self._restored = state_dict


def _set_num_passes(trainer: GradientDescentTrainer, num_passes: int) -> None:
    """Sets the reader's count of passes, if workers read the corpus."""
    # A reader in this process counts by itself. Workers are restarted for each pass and get a copy
    # of the reader.
    reader = getattr(trainer.data_loader, "reader", None)
    if isinstance(reader, BilmCorpusReader) and getattr(trainer.data_loader, "num_workers", False):
        reader.num_passes = num_passes
