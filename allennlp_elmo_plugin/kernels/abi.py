"""
The ABI of the compiled kernels: the structures and constants of csrc/kernels.h in Python.
"""

import ctypes
from typing import Dict, Optional

from allennlp_elmo_plugin.kernels.tiling import GROUP, PANEL, PRECISIONS, TiledMatrix

__all__ = [
    "ARGUMENTS",
    "BLOCK_PANELS",
    "ConvolutionArguments",
    "DONE",
    "INVALID",
    "Filters",
    "LinearArguments",
    "LstmBackwardArguments",
    "LstmForwardArguments",
    "Matrix",
    "NO_MEMORY",
    "WordScoresArguments",
    "abi_constants",
    "find_mismatch",
    "matrix_pointers",
]

ABI_VERSION = 1
DONE, NO_MEMORY, INVALID = range(3)
BLOCK_PANELS = 8


class Matrix(ctypes.Structure):
    """`struct matrix` of csrc/kernels.h."""

    _fields_ = [
        ("weight", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("offset", ctypes.c_void_p),
    ]


class LstmForwardArguments(ctypes.Structure):
    """`struct lstm_forward_arguments` of csrc/kernels.h."""

    _fields_ = [
        ("precision", ctypes.c_int64),
        ("num_timesteps", ctypes.c_int64),
        ("num_tokens", ctypes.c_int64),
        ("num_rows", ctypes.c_int64),
        ("projection_dim", ctypes.c_int64),
        ("cell_size", ctypes.c_int64),
        ("batch_sizes", ctypes.c_void_p),
        ("cell_clip", ctypes.c_float),
        ("proj_clip", ctypes.c_float),
        ("input", Matrix),
        ("recurrent", Matrix),
        ("projection", Matrix),
        ("bias", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("hidden", ctypes.c_void_p),
        ("cell", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("gates", ctypes.c_void_p),
        ("cells", ctypes.c_void_p),
    ]


class LstmBackwardArguments(ctypes.Structure):
    """`struct lstm_backward_arguments` of csrc/kernels.h."""

    _fields_ = [
        ("num_timesteps", ctypes.c_int64),
        ("num_tokens", ctypes.c_int64),
        ("num_rows", ctypes.c_int64),
        ("projection_dim", ctypes.c_int64),
        ("cell_size", ctypes.c_int64),
        ("batch_sizes", ctypes.c_void_p),
        ("cell_clip", ctypes.c_float),
        ("proj_clip", ctypes.c_float),
        ("recurrent", Matrix),
        ("projection", Matrix),
        ("first_cell", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("gates", ctypes.c_void_p),
        ("cells", ctypes.c_void_p),
        ("grad_gates", ctypes.c_void_p),
        ("projected", ctypes.c_void_p),
        ("grad_outputs", ctypes.c_void_p),
        ("grad_hidden", ctypes.c_void_p),
        ("grad_cell", ctypes.c_void_p),
    ]


class LinearArguments(ctypes.Structure):
    """`struct linear_arguments` of csrc/kernels.h."""

    _fields_ = [
        ("precision", ctypes.c_int64),
        ("num_rows", ctypes.c_int64),
        ("num_inputs", ctypes.c_int64),
        ("num_outputs", ctypes.c_int64),
        ("matrix", Matrix),
        ("bias", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
    ]


class WordScoresArguments(ctypes.Structure):
    """`struct word_scores_arguments` of csrc/kernels.h."""

    _fields_ = [
        ("precision", ctypes.c_int64),
        ("num_rows", ctypes.c_int64),
        ("num_inputs", ctypes.c_int64),
        ("num_words", ctypes.c_int64),
        ("matrix", Matrix),
        ("bias", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("words", ctypes.c_void_p),
        ("logits", ctypes.c_void_p),
        ("maxima", ctypes.c_void_p),
        ("sums", ctypes.c_void_p),
        ("num_greater", ctypes.c_void_p),
    ]


class Filters(ctypes.Structure):
    """`struct filters` of csrc/kernels.h."""

    _fields_ = [
        ("width", ctypes.c_int64),
        ("num_filters", ctypes.c_int64),
        ("products", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
    ]


class ConvolutionArguments(ctypes.Structure):
    """`struct convolution_arguments` of csrc/kernels.h."""

    _fields_ = [
        ("num_words", ctypes.c_int64),
        ("word_length", ctypes.c_int64),
        ("num_characters", ctypes.c_int64),
        ("padding", ctypes.c_int64),
        ("words", ctypes.c_void_p),
        ("num_widths", ctypes.c_int64),
        ("filters", ctypes.POINTER(Filters)),
        ("num_outputs", ctypes.c_int64),
        ("outputs", ctypes.c_void_p),
        ("argmax", ctypes.c_void_p),
    ]


ARGUMENTS = {
    "lstm_forward": LstmForwardArguments,
    "lstm_backward": LstmBackwardArguments,
    "linear": LinearArguments,
    "word_scores": WordScoresArguments,
    "convolution": ConvolutionArguments,
}
"""The structure of each kernel's arguments, by the kernel's name."""


class _AbiConstant(ctypes.Structure):
    """`struct abi_constant` of csrc/kernels.h."""

    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_int64)]


def matrix_pointers(matrix: TiledMatrix) -> Matrix:
    """
    Returns the structure that points to a tiled matrix.

    # Parameters

    matrix : `TiledMatrix`
        Matrix that has to live as long as the structure is used.

    # Returns

    `Matrix`
    """
    return Matrix(matrix.weight.data_ptr(), matrix.scale.data_ptr(), matrix.offset.data_ptr())


def abi_constants() -> Dict[str, int]:
    """
    Returns the sizes and constants that Python shares with a compiled library.

    # Returns

    `Dict[str, int]`
        Sizes of the structures in bytes, and the constants, by their names in csrc/abi.c.
    """
    return {
        "ABI_VERSION": ABI_VERSION,
        "GROUP": GROUP,
        "PANEL": PANEL,
        "BLOCK_PANELS": BLOCK_PANELS,
        **{precision.upper(): value for value, precision in enumerate(PRECISIONS)},
        "DONE": DONE,
        "NO_MEMORY": NO_MEMORY,
        "INVALID": INVALID,
        "sizeof(struct matrix)": ctypes.sizeof(Matrix),
        "sizeof(struct filters)": ctypes.sizeof(Filters),
        **{
            f"sizeof(struct {name}_arguments)": ctypes.sizeof(structure)
            for name, structure in ARGUMENTS.items()
        },
    }


def find_mismatch(library: ctypes.CDLL) -> Optional[str]:
    """
    Compares a compiled library's sizes and constants with those of `abi_constants`.

    # Parameters

    library : `ctypes.CDLL`
        Shared library.

    # Returns

    `Optional[str]`
        Names that differ, each with both values, or `None` if all agree.

    # Raises

    `AttributeError`
        If the library exports no constants.
    """
    library.abi_constants.argtypes = []
    library.abi_constants.restype = ctypes.POINTER(_AbiConstant)
    compiled: Dict[str, int] = {}
    for constant in library.abi_constants():
        if constant.name is None:
            break
        compiled[constant.name.decode()] = constant.value
    expected = abi_constants()
    differences = [
        f"{name} is {compiled.get(name, 'missing')}, expected {expected.get(name, 'nothing')}"
        for name in {**expected, **compiled}
        if compiled.get(name) != expected.get(name)
    ]
    return "; ".join(differences) or None
