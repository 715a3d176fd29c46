"""Parts of the backward passes that the kernels for CPUs and those for GPUs share."""

from typing import Tuple

import torch

__all__ = ["copy_gradients", "hidden_before_each_token", "refuse_second_order"]


def refuse_second_order() -> None:
    """
    Raises an error in a backward pass whose gradients are to have gradients of their own.

    # Raises

    `RuntimeError`
        If grad mode is on, as it is in such a pass alone.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            "The kernels give gradients of first order only. For 'create_graph', choose plain "
            "PyTorch: `with allennlp_elmo_plugin.kernels.use_kernels('plain')`."
        )


def copy_gradients(*gradients: torch.Tensor) -> Tuple[torch.Tensor, ...]:
    """Returns contiguous float32 copies, which a kernel may overwrite: the caller keeps its own."""
    return tuple(
        gradient.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for gradient in gradients
    )


def hidden_before_each_token(
    first_hidden: torch.Tensor, outputs: torch.Tensor, batch_sizes: torch.Tensor
) -> torch.Tensor:
    """
    Returns the hidden state that each token of one direction was computed from.

    # Parameters

    first_hidden : `torch.Tensor`
        Hidden state before the first timestep: shape (rows, projection_dim), float.
    outputs : `torch.Tensor`
        Time-major outputs of shape (tokens, projection_dim), float.
    batch_sizes : `torch.Tensor`
        Number of rows at each timestep, which never grows: shape (timesteps,), int64, on the CPU.

    # Returns

    `torch.Tensor`
        Shape (tokens, projection_dim), float.
    """
    sizes = batch_sizes.tolist()
    states = [first_hidden, *outputs.split(sizes)]
    return torch.cat([hidden[:size] for hidden, size in zip(states, sizes)])
