"""
Limit of this machine: the rates that it reaches, and the least time of a batch at these rates.
"""

from functools import partial
from typing import Callable, Dict, Iterable, NamedTuple
from warnings import catch_warnings, simplefilter

import torch
from torch.nn.functional import linear

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.kernels import (
    Kernels,
    choose_kernels,
    kernel_linear,
    tile_matrix,
    tile_vector,
)
from benchmarks.operations import Work
from benchmarks.timing import best_seconds

__all__ = ["Limit", "Machine", "limit_of", "measure_machine", "products"]

# Rows of a batch of 32, and of the largest batch, which may reach a higher rate.
ROWS = (32, 128)

BYTES_PER_WEIGHT = {"float32": 4, "bfloat16": 2, "int8": 1}

Product = Callable[[], torch.Tensor]


class Machine(NamedTuple):
    """
    Highest rates of this machine for one shape and one precision.

    # Parameters

    product_rate : `float`
        Operations per second of the fastest product (rows, P) x (P, 4 * C), for 32 or 128 rows,
        with P for `projection_dim` and C for `cell_size`.
    product_by : `str`
        Name of the fastest product.
    read_bandwidth : `float`
        Bytes per second of the fastest repeated reading of a buffer that is as large as the
        recurrent weights of one layer in one direction.
    read_by : `str`
        Name of the fastest reading.
    """

    product_rate: float
    product_by: str
    read_bandwidth: float
    read_by: str


class Limit(NamedTuple):
    """
    Least time of batches, in seconds.

    # Parameters

    seconds : `float`
        Time of the operations for all tokens together at the product rate, plus the time of every
        timestep of every layer and direction. A timestep takes its operations at the product rate,
        or one reading of its weights at the read bandwidth, whichever is longer.
    products : `float`
        Time of all operations at the product rate.
    reading : `float`
        Time to read the recurrent weights of every layer and direction once per timestep, at the
        read bandwidth.
    """

    seconds: float
    products: float
    reading: float


def limit_of(works: Iterable[Work], precision: str, machine: Machine) -> Limit:
    """
    Computes the least time of batches.

    # Parameters

    works : `Iterable[Work]`
        Counts of each batch.
    precision : `str`
        Key of `BYTES_PER_WEIGHT`.
    machine : `Machine`
        Rates in this precision.

    # Returns

    `Limit`
        Least time of the batches one after the other.
    """
    seconds = products = reading = 0.0
    for work in works:
        at_once = work.operations_at_once / machine.product_rate
        per_row = work.operations_per_row / machine.product_rate
        weights = work.weights_per_timestep * BYTES_PER_WEIGHT[precision]
        per_timestep = weights / machine.read_bandwidth
        bounds = [max(rows * per_row, per_timestep) for rows in work.rows]
        seconds += at_once + work.layers * sum(bounds)
        products += at_once + work.layers * sum(work.rows) * per_row
        reading += work.layers * len(work.rows) * per_timestep
    return Limit(seconds, products, reading)


def measure_machine(options: ElmoOptions, precision: str) -> Machine:
    """
    Measures the rates of products and of reading at one shape's sizes.

    # Parameters

    options : `ElmoOptions`
        Shape of the biLM.
    precision : `str`
        Key of `BYTES_PER_WEIGHT`.

    # Returns

    `Machine`
        Highest rates, and the names of the functions that reach them.
    """
    cell, size = options.cell_size, options.projection_dim
    weight = torch.randn(4 * cell, size)
    rates = [
        (2 * rows * weight.numel() / best_seconds(product), f"{name}, {rows} rows")
        for rows in ROWS
        for name, product in products(torch.randn(rows, size), weight, precision).items()
    ]
    recurrent = torch.randn(5 * cell, size)
    size_in_bytes = recurrent.numel() * BYTES_PER_WEIGHT[precision]
    readings = {
        # A product of one row hardly does more than read its weight.
        **products(torch.randn(1, size), recurrent, precision),
        **_readings(size_in_bytes),
    }
    bandwidths = [
        (size_in_bytes / best_seconds(reading), name) for name, reading in readings.items()
    ]
    return Machine(*max(rates), *max(bandwidths))


def products(inputs: torch.Tensor, weight: torch.Tensor, precision: str) -> Dict[str, Product]:
    """
    Returns every available function for the product of a linear layer in one precision.

    # Parameters

    inputs : `torch.Tensor`
        Shape (rows, in_features), float32.
    weight : `torch.Tensor`
        Shape (out_features, in_features), float32.
    precision : `str`
        Key of `BYTES_PER_WEIGHT`.

    # Returns

    `Dict[str, Callable[[], torch.Tensor]]`
        Functions that compute the product once with a prepared weight, by name.
    """
    found: Dict[str, Product] = {}
    for name, prepare in _candidates(inputs, weight, precision).items():
        try:
            product = prepare()
            product()
        except (AttributeError, RuntimeError):
            # Not every torch has every operator, and not every processor runs it.
            continue
        found[name] = product
    return found


def _candidates(
    inputs: torch.Tensor, weight: torch.Tensor, precision: str
) -> Dict[str, Callable[[], Product]]:
    """Returns functions that prepare the weight for each product. Add more candidates here."""
    if precision == "int8":
        candidates: Dict[str, Callable[[], Product]] = {
            f"quantized.linear_dynamic ({engine})": partial(_quantized, inputs, weight, engine)
            for engine in torch.backends.quantized.supported_engines
            if engine != "none"
        }
    else:
        dtype = getattr(torch, precision)
        cast = (inputs.to(dtype), weight.to(dtype))
        candidates = {
            "F.linear": lambda: partial(linear, *cast),
            "mkldnn._linear_pointwise": partial(_reordered, *cast),
        }
    kernels = choose_kernels()
    if kernels is not None:
        candidates["kernel_linear"] = partial(_kernel_product, kernels, inputs, weight, precision)
    return candidates


def _kernel_product(
    kernels: Kernels, inputs: torch.Tensor, weight: torch.Tensor, precision: str
) -> Product:
    bias = tile_vector(weight.new_zeros(len(weight)))
    return partial(kernel_linear, kernels, inputs, tile_matrix(weight, precision), bias)


def _reordered(inputs: torch.Tensor, weight: torch.Tensor) -> Product:
    reordered = torch.ops.mkldnn._reorder_linear_weight(weight, len(inputs))
    return partial(torch.ops.mkldnn._linear_pointwise, inputs, reordered, None, "none", [], "")


def _quantized(inputs: torch.Tensor, weight: torch.Tensor, engine: str) -> Product:
    scales = weight.abs().amax(dim=1).double() / 127
    zeros = torch.zeros_like(scales, dtype=torch.long)
    with catch_warnings():
        # torch warns that a later version drops these functions.
        simplefilter("ignore")
        quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    former = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        # The prepared weight keeps this engine.
        prepared = torch.ops.quantized.linear_prepack(quantized, None)
    finally:
        torch.backends.quantized.engine = former
    return partial(torch.ops.quantized.linear_dynamic, inputs, prepared)


def _readings(size: int) -> Dict[str, Callable[[], torch.Tensor]]:
    """Returns functions that read a buffer of `size` bytes once, by name."""
    width = 1024
    buffer = torch.ones(size // 4 // width, width)
    return {"sum": buffer.sum, "amax": buffer.amax, "mv": partial(buffer.mv, torch.ones(width))}
