"""
The trainer callback that logs the hits and misses of the activation caches.
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
    A trainer callback that logs hits, misses, size and time saved of each activation cache.

    Before that, it writes the layers that wait in memory. In a distributed training each process
    logs its own caches.

    Registered as a `TrainerCallback` with name "activation_cache_summary", and one of AllenNLP's
    default callbacks once the plugin is imported: no config needs to name it.
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
        Writes waiting layers and logs a summary of each cache at the end of a training.

        # Parameters

        trainer : `GradientDescentTrainer`
            The trainer whose model is inspected.
        """
        for module in trainer.model.modules():
            if isinstance(module, ActivationCache):
                module.flush()
                summary = module.summary()
                if summary is not None:
                    logger.info(summary)
