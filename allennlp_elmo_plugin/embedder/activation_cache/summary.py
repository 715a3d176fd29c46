"""
What the activation caches of a model were good for, said at the end of its training.
"""

import logging
from typing import Any, Dict, Optional

from allennlp.training import TrainerCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from overrides import overrides

from allennlp_elmo_plugin.embedder.activation_cache.base import ActivationCache

__all__ = ["ActivationCacheSummary"]

logger = logging.getLogger(__name__)


@TrainerCallback.register("activation_cache_summary")
class ActivationCacheSummary(TrainerCallback):
    """
    Writes what the activation caches still hold in memory, and logs what each was good for: hits,
    misses, size and time saved. In a distributed training each process speaks for itself.

    Registered as a `TrainerCallback` with name "activation_cache_summary", and one of AllenNLP's
    default callbacks as soon as the plugin is there: no config needs to name it.
    """

    @overrides
    def on_end(
        self,
        trainer: GradientDescentTrainer,
        metrics: Optional[Dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        """
        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer, of which the model is looked at.
        """
        for module in trainer.model.modules():
            if isinstance(module, ActivationCache):
                module.flush()
                summary = module.summary()
                if summary is not None:
                    logger.info(summary)
