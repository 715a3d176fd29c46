"""
The weighted sum over the layers of a biLM.
"""

from math import log
from typing import List, Optional, Union

import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import tiny_value_of_dtype

from allennlp_elmo_plugin.network.derived_cache import DerivedCache
from allennlp_elmo_plugin.network.tensor_checks import FLOATS, check_tensor

__all__ = ["FixedScalarMix", "LearnedScalarMix", "ScalarMix"]

# Small enough for a softmax of exactly 0, and finite, unlike the logarithm of 0.
LOG_OF_ZERO = -9e10


class ScalarMix(torch.nn.Module, Registrable):
    """
    A weighted sum of layers (Peters et al., 2018, equation 1).

    It computes `gamma * sum(softmax(scalar_parameters)_k * layer_k)`.

    # Parameters

    scalar_parameters : `List[float]`
        One weight for each layer, before the softmax.
    trainable : `bool`
        If `True`, the weights and gamma (which starts at 1) are trained.
    do_layer_norm : `bool`, optional (default = `False`)
        If `True`, each layer is normalized first, by one mean and one variance over all tokens
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
        self._derived = DerivedCache()

    def normalized_weights(self) -> torch.Tensor:
        """
        Returns the weights of the layers after the softmax, without gamma.

        # Returns

        `torch.Tensor`
            Shape (num_representations,), float, 1 in sum.
        """
        return torch.softmax(torch.cat(list(self.scalar_parameters)), dim=0)

    def num_representations_read(self) -> int:
        """
        Returns the number of layers that `forward` reads, from the first.

        # Returns

        `int`
            Fewer than there are weights, if the last ones are exactly 0 after the softmax and are
            not trained.
        """
        return 1 + max(self._read_layers())

    def forward(self, layers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Mixes the layers.

        # Parameters

        layers : `torch.Tensor`
            Shape (num_representations, batch, timesteps, size), float. Those from
            `num_representations_read` on may be left out.
        mask : `torch.Tensor`
            Shape (batch, timesteps), bool, `True` = token. Read only with `do_layer_norm`.

        # Returns

        `torch.Tensor`
            Shape (batch, timesteps, size), float, exactly 0 where the layers are 0 outside the
            mask.

        # Raises

        `ConfigurationError`
            When there are more layers than weights, or fewer than are read, or when the layers or
            the mask are no such tensors.
        """
        check_tensor("layers", layers, FLOATS)
        weights, read = self.normalized_weights(), self._read_layers()
        if not max(read) < len(layers) <= len(weights):
            raise ConfigurationError(
                f"Expected {len(weights)} layers, one for each weight of the scalar mix, of which "
                f"the first {1 + max(read)} are read, got {len(layers)}."
            )
        if layers.dim() < 2:
            raise ConfigurationError(
                "Expected layers of shape (num_representations, batch, timesteps, size), got shape "
                f"{tuple(layers.shape)}."
            )
        if self.do_layer_norm:
            _check_mask(mask, layers)
            return self.gamma * sum(weights[k] * _normalize(layers[k], mask) for k in read)
        if len(read) == 1:
            return self.gamma * weights[read[0]] * layers[read[0]]
        # One product is several times as fast as a sum, gradients of the weights included.
        product = torch.matmul(self.gamma * weights[: len(layers)], layers.flatten(1))
        return product.view(layers.shape[1:])

    def _read_layers(self) -> List[int]:
        """Returns the layers whose weights are trained or not 0."""
        parameters = list(self.scalar_parameters)
        if any(parameter.requires_grad for parameter in parameters):
            return list(range(len(parameters)))
        return self._derived.get("read layers", parameters, self._nonzero_layers)

    def _nonzero_layers(self) -> List[int]:
        return [k for k, weight in enumerate(self.normalized_weights().tolist()) if weight != 0]


@ScalarMix.register("learned")
class LearnedScalarMix(ScalarMix):
    """
    A scalar mix whose weights are trained with the model. They start equal.

    Registered as a `ScalarMix` with name "learned".

    # Parameters

    num_representations : `int`
        The number of layers, the token layer included. The embedder fills it in.
    do_layer_norm : `bool`, optional (default = `False`)
        If `True`, each layer is normalized first; see `ScalarMix`.
    """

    def __init__(self, num_representations: int, do_layer_norm: bool = False) -> None:
        super().__init__([0.0] * num_representations, True, do_layer_norm)


@ScalarMix.register("fixed")
class FixedScalarMix(ScalarMix):
    """
    A scalar mix with constant weights.

    Gamma is 1. Layers after the last one with a weight other than 0 are not computed at all.

    Registered as a `ScalarMix` with name "fixed".

    # Parameters

    scalar_parameters : `List[float]`, optional (default = `None`)
        One weight for each layer, the token layer first, before the softmax.
    num_representations : `int`, optional (default = `None`)
        The number of layers. The embedder fills it in.
    do_layer_norm : `bool`, optional (default = `False`)
        If `True`, each layer is normalized first; see `ScalarMix`.
    normalized : `List[float]`, optional (default = `None`)
        One weight for each layer after the softmax, in place of `scalar_parameters`: none negative
        and 1 in sum, such as `[0, 0.5, 0.5]`.
    layers : `Union[int, str]`, optional (default = `None`)
        Choice of layers, in place of `scalar_parameters`: `"top"` for the last layer alone,
        `"average"` for equal weights, or the number of a layer, where 0 is the token layer.

    # Raises

    `ConfigurationError`
        When not exactly one of the three is given, or when it does not fit the number of layers.
    """

    def __init__(
        self,
        scalar_parameters: Optional[List[float]] = None,
        num_representations: Optional[int] = None,
        do_layer_norm: bool = False,
        normalized: Optional[List[float]] = None,
        layers: Union[int, str, None] = None,
    ) -> None:
        ways = {"scalar_parameters": scalar_parameters, "normalized": normalized, "layers": layers}
        taken = [name for name, value in ways.items() if value is not None]
        if len(taken) != 1:
            raise ConfigurationError(
                "Expected exactly one of 'scalar_parameters', 'normalized' and 'layers' for a "
                f"fixed scalar mix, got {' and '.join(taken) or 'none'}."
            )
        if layers is not None:
            normalized = _weights_of(layers, num_representations)
        given = list((scalar_parameters if normalized is None else normalized) or ())
        if num_representations is not None and len(given) != num_representations:
            raise ConfigurationError(
                f"Expected {num_representations} scalar mix parameters, one for the token layer "
                f"and one for each LSTM layer of the biLM, got {len(given)}: {given}."
            )
        super().__init__(
            given if normalized is None else _logarithms(normalized), False, do_layer_norm
        )


def _weights_of(layers: Union[int, str], num_representations: Optional[int]) -> List[float]:
    if num_representations is None:
        raise ConfigurationError(
            f"'layers' {layers!r} needs 'num_representations', the number of layers. Outside an "
            "embedder's config, give both."
        )
    if layers == "average":
        return [1 / num_representations] * num_representations
    number = num_representations - 1 if layers == "top" else layers
    if number not in range(num_representations):
        raise ConfigurationError(
            "Expected 'layers' of a fixed scalar mix to be 'top', 'average' or a layer's number "
            f"from 0 (the token layer) to {num_representations - 1}, got {layers!r}."
        )
    return [float(k == number) for k in range(num_representations)]


def _logarithms(normalized: List[float]) -> List[float]:
    if not all(weight >= 0 for weight in normalized) or abs(sum(normalized) - 1) > 1e-3:
        raise ConfigurationError(
            "Expected 'normalized' to be weights from 0 up whose sum is 1, got "
            f"{normalized}. 'scalar_parameters' takes weights before a softmax."
        )
    return [log(weight) if weight > 0 else LOG_OF_ZERO for weight in normalized]


def _check_mask(mask: torch.Tensor, layers: torch.Tensor) -> None:
    check_tensor("the mask", mask, (torch.bool,), layers.device)
    if mask.shape != layers.shape[1:-1]:
        raise ConfigurationError(
            f"Expected a mask of shape {tuple(layers.shape[1:-1])}, one element for each token of "
            f"the layers, got shape {tuple(mask.shape)}."
        )


def _normalize(layer: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    masked = mask.unsqueeze(-1)
    count = mask.sum() * layer.size(-1)
    mean = (layer * masked).sum() / count
    variance = (((layer - mean) * masked) ** 2).sum() / count
    normalized = (layer - mean) / torch.sqrt(variance + tiny_value_of_dtype(variance.dtype))
    return normalized.masked_fill(~masked, 0.0)
