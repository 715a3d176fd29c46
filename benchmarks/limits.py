"""
What this machine can reach, and the time that a batch then takes at least.
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

# Of a batch of 32, and of the largest that is timed, which may reach a higher rate.
ROWS = (32, 128)

BYTES_PER_WEIGHT = {"float32": 4, "bfloat16": 2, "int8": 1}

Product = Callable[[], torch.Tensor]


class Machine(NamedTuple):
    """
    What this machine reaches, for one shape and one precision.

    # Parameters

    product_rate : `float`
        Operations per second of the fastest product (rows, P) x (P, 4 * C), for 32 or 128 rows.
    product_by : `str`
        The name of what reached it.
    read_bandwidth : `float`
        Bytes per second, read over and over from a buffer of the size of the recurrent weights of
        one layer in one direction.
    read_by : `str`
        The name of what reached it.
    """

    product_rate: float
    product_by: str
    read_bandwidth: float
    read_by: str


class Limit(NamedTuple):
    """
    The least time of a batch, in seconds, and two parts of the reckoning.

    # Parameters

    seconds : `float`
        What can be done for all tokens at once takes its operations at the product rate. After
        it, a step of a layer in one direction takes its operations at that rate, or one reading
        of its weights at the read bandwidth, whichever is longer.
    products : `float`
        All operations at the product rate.
    reading : `float`
        The recurrent weights of each layer and direction, once a step, at the read bandwidth.
    """

    seconds: float
    products: float
    reading: float


def limit_of(works: Iterable[Work], precision: str, machine: Machine) -> Limit:
    """
    # Parameters

    works : `Iterable[Work]`
        What each batch asks for.
    precision : `str`
        A key of `BYTES_PER_WEIGHT`.
    machine : `Machine`
        What can be reached in this precision.

    # Returns

    `Limit`
        Of the batches one after the other.
    """
    seconds = products = reading = 0.0
    for work in works:
        at_once = work.operations_at_once / machine.product_rate
        per_row = work.operations_per_row / machine.product_rate
        per_step = work.weights_per_step * BYTES_PER_WEIGHT[precision] / machine.read_bandwidth
        seconds += at_once + work.layers * sum(max(rows * per_row, per_step) for rows in work.rows)
        products += at_once + work.layers * sum(work.rows) * per_row
        reading += work.layers * len(work.rows) * per_step
    return Limit(seconds, products, reading)


def measure_machine(options: ElmoOptions, precision: str) -> Machine:
    """
    # Parameters

    options : `ElmoOptions`
        The shape of the biLM.
    precision : `str`
        A key of `BYTES_PER_WEIGHT`.

    # Returns

    `Machine`
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
        # With one row, a product does little but read its weight.
        **products(torch.randn(1, size), recurrent, precision),
        **_readings(size_in_bytes),
    }
    bandwidths = [
        (size_in_bytes / best_seconds(reading), name) for name, reading in readings.items()
    ]
    return Machine(*max(rates), *max(bandwidths))


def products(inputs: torch.Tensor, weight: torch.Tensor, precision: str) -> Dict[str, Product]:
    """
    All that can be had here for the product of a linear layer, in one precision.

    # Parameters

    inputs : `torch.Tensor`
        Shape (rows, in_features), float32.
    weight : `torch.Tensor`
        Shape (out_features, in_features), float32.
    precision : `str`
        A key of `BYTES_PER_WEIGHT`.

    # Returns

    `Dict[str, Callable[[], torch.Tensor]]`
        By name, functions that compute it once; the weight has been prepared.
    """
    found: Dict[str, Product] = {}
    for name, prepare in _candidates(inputs, weight, precision).items():
        try:
            product = prepare()
            product()
        except (AttributeError, RuntimeError):
            # Not every torch has every operator, nor for every processor.
            continue
        found[name] = product
    return found


def _candidates(
    inputs: torch.Tensor, weight: torch.Tensor, precision: str
) -> Dict[str, Callable[[], Product]]:
    """What there may be: functions that prepare the weight. To try another, add it here."""
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
        candidates["kernel_linear"] = partial(_packed, kernels, inputs, weight, precision)
    return candidates


def _packed(
    kernels: Kernels, inputs: torch.Tensor, weight: torch.Tensor, precision: str
) -> Product:
    bias = tile_vector(weight.new_zeros(len(weight)))
    return partial(kernel_linear, kernels, inputs, tile_matrix(weight, precision), bias)


def _reordered(inputs: torch.Tensor, weight: torch.Tensor) -> Product:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(inputs))
    return partial(torch.ops.mkldnn._linear_pointwise, inputs, packed, None, "none", [], "")


def _quantized(inputs: torch.Tensor, weight: torch.Tensor, engine: str) -> Product:
    scales = weight.abs().amax(dim=1).double() / 127
    zeros = torch.zeros_like(scales, dtype=torch.long)
    with catch_warnings():
        # As long as torch has them, it only warns that it will not.
        simplefilter("ignore")
        quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    former = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        # The packed weight knows its engine from here on.
        packed = torch.ops.quantized.linear_prepack(quantized, None)
    finally:
        torch.backends.quantized.engine = former
    return partial(torch.ops.quantized.linear_dynamic, inputs, packed)


def _readings(size: int) -> Dict[str, Callable[[], torch.Tensor]]:
    """Ways to read a buffer of so many bytes, whatever is in it."""
    width = 1024
    buffer = torch.ones(size // 4 // width, width)
    return {"sum": buffer.sum, "amax": buffer.amax, "mv": partial(buffer.mv, torch.ones(width))}
