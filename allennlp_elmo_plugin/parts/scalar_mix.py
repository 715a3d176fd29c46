"""
The weighted sum over the layers of a biLM.
"""

from typing import List, Optional

import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import tiny_value_of_dtype

__all__ = ["FixedScalarMix", "LearnedScalarMix", "ScalarMix"]


class ScalarMix(torch.nn.Module, Registrable):
    """
    `gamma * sum(softmax(scalar_parameters)_k * layer_k)` (Peters et al., 2018, equation 1).

    # Parameters

    scalar_parameters : `List[float]`
        One weight for each layer, before the softmax.
    trainable : `bool`
        Whether the weights and gamma (which starts at 1) are trained.
    do_layer_norm : `bool`, optional (default = `False`)
        Whether each layer is normalized first, by one mean and one variance over all words
        (sentence boundaries included) and dimensions of the batch. A sentence's vectors then
        depend on the rest of its batch.
    """

    default_implementation = "learned"

    def __init__(
        self, scalar_parameters: List[float], trainable: bool, do_layer_norm: bool = False
    ) -> None:
        super().__init__()
        self.do_layer_norm = do_layer_norm
        self.scalar_parameters = torch.nn.ParameterList(
            torch.nn.Parameter(torch.tensor([float(value)]), requires_grad=trainable)
            for value in scalar_parameters
        )
        self.gamma = torch.nn.Parameter(torch.tensor([1.0]), requires_grad=trainable)

    def forward(self, layers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        layers : `torch.Tensor`
            Shape (num_representations, batch, timesteps, size), float.
        mask : `torch.Tensor`
            Shape (batch, timesteps), bool. Read only with `do_layer_norm`.

        # Returns

        `torch.Tensor`
            Shape (batch, timesteps, size), float. With `do_layer_norm`, what stands outside the
            mask means nothing.

        # Raises

        `ConfigurationError`
            When the number of layers is not that of the weights.
        """
        if len(layers) != len(self.scalar_parameters):
            raise ConfigurationError(
                f"Expected {len(self.scalar_parameters)} layers, one for each weight of the "
                f"scalar mix, got {len(layers)}."
            )
        weights = torch.softmax(torch.cat(list(self.scalar_parameters)), dim=0)
        if self.do_layer_norm:
            mixed = sum(w * _normalize(layer, mask) for w, layer in zip(weights, layers))
        else:
            mixed = sum(w * layer for w, layer in zip(weights, layers))
        return self.gamma * mixed


@ScalarMix.register("learned")
class LearnedScalarMix(ScalarMix):
    """
    Weights that are trained with the model. They start equal.

    Registered as a `ScalarMix` with name "learned".

    # Parameters

    num_representations : `int`
        The number of layers, the token layer included. The embedder fills it in.
    do_layer_norm : `bool`, optional (default = `False`)
        See `ScalarMix`.
    """

    def __init__(self, num_representations: int, do_layer_norm: bool = False) -> None:
        super().__init__([0.0] * num_representations, True, do_layer_norm)


@ScalarMix.register("fixed")
class FixedScalarMix(ScalarMix):
    """
    Weights that stay as they are given; gamma stays 1.

    Registered as a `ScalarMix` with name "fixed".

    # Parameters

    scalar_parameters : `List[float]`
        One weight for each layer, the token layer first, before the softmax: `[-9e10, 1, -9e10]`
        takes the first LSTM layer alone.
    num_representations : `int`, optional (default = `None`)
        The number of layers, for a check. The embedder fills it in.
    do_layer_norm : `bool`, optional (default = `False`)
        See `ScalarMix`.

    # Raises

    `ConfigurationError`
        When the number of weights is not that of the layers.
    """

    def __init__(
        self,
        scalar_parameters: List[float],
        num_representations: Optional[int] = None,
        do_layer_norm: bool = False,
    ) -> None:
        if num_representations is not None and len(scalar_parameters) != num_representations:
            raise ConfigurationError(
                f"Expected {num_representations} scalar mix parameters, one for the token layer "
                f"and one for each LSTM layer of the biLM, got {len(scalar_parameters)}: "
                f"{scalar_parameters}."
            )
        super().__init__(scalar_parameters, False, do_layer_norm)


def _normalize(layer: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    masked = mask.unsqueeze(-1)
    count = mask.sum() * layer.size(-1)
    mean = (layer * masked).sum() / count
    variance = (((layer - mean) * masked) ** 2).sum() / count
    return (layer - mean) / torch.sqrt(variance + tiny_value_of_dtype(variance.dtype))
