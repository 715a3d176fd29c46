"""
Products and recurrences in C, for the processors they were compiled for; see `levels`.
"""

from allennlp_elmo_plugin.kernels.convolution import (
    ConvolutionTable,
    convolution_table,
    kernel_convolutions,
)
from allennlp_elmo_plugin.kernels.dispatch import (
    Kernels,
    available_kernels,
    choose_kernels,
    use_kernels,
)
from allennlp_elmo_plugin.kernels.linear import kernel_linear
from allennlp_elmo_plugin.kernels.lstm import PackedLstm, kernel_lstm, kernel_lstm_with_gradients
from allennlp_elmo_plugin.kernels.tiling import (
    PRECISIONS,
    PackedMatrix,
    can_pack,
    pack_matrix,
    pack_vector,
    round_activations,
    unpack_matrix,
)

__all__ = [
    "ConvolutionTable",
    "Kernels",
    "PRECISIONS",
    "PackedLstm",
    "PackedMatrix",
    "available_kernels",
    "can_pack",
    "choose_kernels",
    "convolution_table",
    "kernel_convolutions",
    "kernel_linear",
    "kernel_lstm",
    "kernel_lstm_with_gradients",
    "pack_matrix",
    "pack_vector",
    "round_activations",
    "unpack_matrix",
    "use_kernels",
]
