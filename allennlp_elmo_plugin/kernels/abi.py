"""
What a kernel is given: the structures of csrc/kernels.h.
"""

import ctypes

from allennlp_elmo_plugin.kernels.tiling import TiledMatrix

__all__ = [
    "ARGUMENTS",
    "ConvolutionArguments",
    "LinearArguments",
    "LstmBackwardArguments",
    "LstmForwardArguments",
    "pointers",
]


class Matrix(ctypes.Structure):
    """`struct matrix` of csrc/kernels.h."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("weight", "scale", "offset")]


class LstmForwardArguments(ctypes.Structure):
    """`struct lstm_forward` of csrc/kernels.h."""

    _fields_ = [
        *(
            (name, ctypes.c_int64)
            for name in ("precision", "num_steps", "num_rows", "projection_dim", "cell_size")
        ),
        ("batch_sizes", ctypes.c_void_p),
        ("cell_clip", ctypes.c_float),
        ("proj_clip", ctypes.c_float),
        *((name, Matrix) for name in ("input", "recurrent", "projection")),
        *(
            (name, ctypes.c_void_p)
            for name in ("bias", "inputs", "hidden", "cell", "outputs", "gates", "cells")
        ),
    ]


class LstmBackwardArguments(ctypes.Structure):
    """`struct lstm_backward` of csrc/kernels.h."""

    _fields_ = [
        *(
            (name, ctypes.c_int64)
            for name in ("num_steps", "num_rows", "projection_dim", "cell_size")
        ),
        ("batch_sizes", ctypes.c_void_p),
        ("cell_clip", ctypes.c_float),
        ("proj_clip", ctypes.c_float),
        *((name, Matrix) for name in ("recurrent", "projection")),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "first_cell",
                "outputs",
                "gates",
                "cells",
                "grad_gates",
                "projected",
                "grad_outputs",
                "grad_hidden",
                "grad_cell",
            )
        ),
    ]


class LinearArguments(ctypes.Structure):
    """`struct linear` of csrc/kernels.h."""

    _fields_ = [
        *(
            (name, ctypes.c_int64)
            for name in ("precision", "num_rows", "num_inputs", "num_outputs")
        ),
        ("matrix", Matrix),
        *((name, ctypes.c_void_p) for name in ("bias", "inputs", "outputs")),
    ]


class ConvolutionArguments(ctypes.Structure):
    """`struct convolution` of csrc/kernels.h."""

    _fields_ = [
        *(
            (name, ctypes.c_int64)
            for name in (
                "num_words",
                "num_places",
                "num_characters",
                "width",
                "num_filters",
                "padding",
            )
        ),
        *((name, ctypes.c_void_p) for name in ("words", "products", "bias", "outputs", "argmax")),
        ("stride", ctypes.c_int64),
    ]


ARGUMENTS = {
    "lstm_forward": LstmForwardArguments,
    "lstm_backward": LstmBackwardArguments,
    "linear": LinearArguments,
    "convolution": ConvolutionArguments,
}
"""By the names of the kernels."""


def pointers(matrix: TiledMatrix) -> Matrix:
    """
    # Parameters

    matrix : `TiledMatrix`
        It has to live as long as the structure.

    # Returns

    `Matrix`
    """
    return Matrix(matrix.weight.data_ptr(), matrix.scale.data_ptr(), matrix.offset.data_ptr())
