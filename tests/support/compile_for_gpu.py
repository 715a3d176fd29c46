"""
Compiles the kernels for GPUs for a compute capability, which takes no GPU.

It prints the shared memory in bytes that each kernel takes, as JSON.
"""

import json
import sys
from typing import Any, Dict

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from allennlp_elmo_plugin.kernels.gpu.backward import run_backward
from allennlp_elmo_plugin.kernels.gpu.forward import run_forward
from allennlp_elmo_plugin.kernels.gpu.lstm import tile_sizes

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
LAYER = {"DIRECTIONS": 2, "PROJECTION_DIM": 512, "CELL_SIZE": 4096}
PROCESSORS = 128
MANY_ROWS = 100


def argument_type(name: str, dtype: str) -> str:
    """Returns Triton's name of the type of a kernel's argument."""
    if name in ("starts", "arrived"):
        return "*i32"
    if name.endswith("_clip"):
        return "fp32"
    if name.startswith("num_"):
        return "i32"
    return f"*{dtype}" if name.endswith(("_operand", "_hh", "_hr")) else "*fp32"


def shared_memory(kernel: Any, dtype: str, capability: int) -> int:
    """Compiles a kernel for many rows, and returns its shared memory in bytes."""
    sizes = tile_sizes(*LAYER.values(), MANY_ROWS, DTYPES[dtype], PROCESSORS)
    options = {name: sizes.pop(name) for name in ("num_warps", "num_stages")}
    constants: Dict[str, Any] = {**LAYER, **sizes, "ROUNDING": "tf32x3"}
    if kernel is run_forward:
        constants["SAVES"] = True
    names = kernel.arg_names
    types = {
        name: "constexpr" if name in constants else argument_type(name, dtype) for name in names
    }
    source = ASTSource(
        fn=kernel,
        signature=types,
        constexprs={(names.index(name),): value for name, value in constants.items()},
        # PyTorch's memory begins at such addresses.
        attrs={
            (index,): [["tt.divisibility", 16]]
            for index, name in enumerate(names)
            if types[name].startswith("*")
        },
    )
    target = GPUTarget("cuda", capability, 32)
    compiled = triton.compile(source, target=target, options=options)
    return int(compiled.metadata.shared)


if __name__ == "__main__":
    used = {
        f"{name} {dtype}": shared_memory(kernel, dtype, int(sys.argv[1]))
        for name, kernel in (("run_forward", run_forward), ("run_backward", run_backward))
        for dtype in DTYPES
    }
    print(json.dumps(used))
