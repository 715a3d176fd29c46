"""
The compiled kernels. Everything else about the package is in setup.cfg.
"""

import sys
from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("allennlp_elmo_plugin", "kernels", "csrc")

setup(
    ext_modules=[
        Extension(
            # A plain shared library, loaded with ctypes: it needs no headers but C's own.
            "allennlp_elmo_plugin.kernels._compiled",
            sources=sorted(str(path) for path in SOURCES.glob("*.c")),
            depends=sorted(str(path) for path in SOURCES.glob("*.[hi]*")),
            # OpenMP is compiled in but not linked: its functions are those of PyTorch's library,
            # so that both share one pool of threads. Apple's compiler has none.
            extra_compile_args=["-O3"] + ([] if sys.platform == "darwin" else ["-fopenmp"]),
            # Without a compiler the package installs all the same, and runs on PyTorch alone.
            optional=True,
        )
    ]
)
