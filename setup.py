"""
The compiled kernels, and the wheel that carries them. Everything else is in setup.cfg.
"""

import sys
from pathlib import Path
from typing import Tuple

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

SOURCES = Path("allennlp_elmo_plugin", "kernels", "csrc")


class BuildKernels(build_ext):
    """
    Compiles the kernels into a library that is the same for every Python.
    """

    def build_extensions(self) -> None:
        """Compiles the kernels, without naming the folders of the Python that compiles them."""
        linker = getattr(self.compiler, "linker_so", [])
        self.compiler.linker_so = [part for part in linker if "-rpath" not in part]
        super().build_extensions()

    def get_ext_filename(self, fullname: str) -> str:
        """Returns the path of the library below the folder of the packages."""
        return str(Path(*fullname.split(".")).with_suffix(".so"))


class PlatformWheel(bdist_wheel):
    """
    A wheel for all Pythons of a platform: ctypes loads the kernels, and no Python links to them.
    """

    def get_tag(self) -> Tuple[str, str, str]:
        """Returns the tags of Python, of its ABI and of the platform."""
        return ("py3", "none", super().get_tag()[2])


setup(
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": PlatformWheel},
    ext_modules=[
        Extension(
            # A plain shared library, loaded with ctypes: it needs no headers but C's own.
            "allennlp_elmo_plugin.kernels._compiled",
            sources=sorted(str(path) for path in SOURCES.glob("*.c")),
            depends=sorted(str(path) for path in SOURCES.glob("*.[hi]*")),
            # OpenMP is compiled in but not linked: its functions are those of PyTorch's library,
            # so that both share one pool of threads. Apple's compiler has none. Debugging
            # information would name the folder of the build, and no two builds would be equal.
            extra_compile_args=["-O3", "-g0"] + ([] if sys.platform == "darwin" else ["-fopenmp"]),
            # Without a compiler the package installs all the same, and runs on PyTorch alone.
            optional=True,
        )
    ],
)
