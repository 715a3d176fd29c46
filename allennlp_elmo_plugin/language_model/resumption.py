"""
What a training of a biLM needs, beside weights and optimizer, to go on as if it had not stopped.
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
    Puts into each checkpoint of a `bidirectional_lm` where its streams of text are, and where
    PyTorch's random numbers are, which dropout and the sampled softmax draw from. With `--recover`
    a training on one processor then ends where one that was not stopped ends. In a distributed
    training this holds for the first process; in the others the streams start anew.

    It also tells a `bilm_corpus` that is read by workers which pass over the corpus begins.

    Registered as a `TrainerCallback` with name "bilm_resumption", and one of AllenNLP's default
    callbacks as soon as the plugin is there: no config needs to name it.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._restored: Dict[str, Any] = {}

    @overrides
    def on_start(
        self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs: Any
    ) -> None:
        """
        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer, which has restored its checkpoint, if there is one.
        is_primary : `bool`, optional (default = `True`)
            Whether this is the process that saves checkpoints.
        """
        super().on_start(trainer, is_primary, **kwargs)
        _tell_workers(trainer, trainer._start_after_epochs_completed)
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
        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer.
        epoch : `int`
            The epoch that ended.
        """
        _tell_workers(trainer, epoch + 1)

    @overrides
    def state_dict(self) -> Dict[str, Any]:
        """
        # Returns

        `Dict[str, Any]`
            `streams`, and the states of the random numbers; nothing for another model.
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
        # Parameters

        state_dict : `Dict[str, Any]`
            What `state_dict` gave. It is put to use when the training starts.
        """
        self._restored = state_dict


def _tell_workers(trainer: GradientDescentTrainer, num_passes: int) -> None:
    # In this process the reader counts by itself, but workers are born anew with each pass.
    reader = getattr(trainer.data_loader, "reader", None)
    if isinstance(reader, BilmCorpusReader) and getattr(trainer.data_loader, "num_workers", False):
        reader.num_passes = num_passes
