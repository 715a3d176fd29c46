"""
Compiled kernels for the biLM in C: matrix products, the LSTM, character convolutions, the softmax.

Each operation has a module of its own. `dispatch` chooses the kernels, `tiling` arranges matrices
for them, and `abi` describes their arguments. csrc/README.md explains the computation. `gpu` has
the LSTM for GPUs, in Triton.
"""

from allennlp_elmo_plugin.kernels.convolution import (
    CharacterProducts,
    character_products,
    kernel_convolutions,
)
from allennlp_elmo_plugin.kernels.dispatch import (
    Kernels,
    available_kernels,
    choose_kernels,
    gpu_kernels_fit,
    kernels_for,
    use_kernels,
)
from allennlp_elmo_plugin.kernels.gpu import GpuWeights, gpu_lstm
from allennlp_elmo_plugin.kernels.linear import kernel_linear
from allennlp_elmo_plugin.kernels.lstm import (
    PreparedLstm,
    TiledLstm,
    kernel_lstm,
    kernel_lstm_with_gradients,
)
from allennlp_elmo_plugin.kernels.tiling import (
    PRECISIONS,
    TiledMatrix,
    can_tile,
    round_activations,
    tile_matrix,
    tile_vector,
    untile_matrix,
)
from allennlp_elmo_plugin.kernels.word_scores import WordScores, kernel_word_scores

__all__ = [
    "CharacterProducts",
    "GpuWeights",
    "Kernels",
    "PRECISIONS",
    "PreparedLstm",
    "TiledLstm",
    "TiledMatrix",
    "WordScores",
    "available_kernels",
    "can_tile",
    "choose_kernels",
    "character_products",
    "gpu_kernels_fit",
    "gpu_lstm",
    "kernel_convolutions",
    "kernel_linear",
    "kernel_lstm",
    "kernel_lstm_with_gradients",
    "kernel_word_scores",
    "kernels_for",
    "tile_matrix",
    "tile_vector",
    "round_activations",
    "untile_matrix",
    "use_kernels",
]
