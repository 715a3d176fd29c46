"""
The tests of the kernels under AddressSanitizer and UndefinedBehaviorSanitizer.

They run in a copy of the package whose compiled library has the sanitizers, so the package itself
needs no switch for them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Sequence

from reliability.sanitize.compiler import (
    KERNELS,
    REPOSITORY,
    compile_objects,
    find_compiler,
    link,
)

__all__ = ["TESTS", "copy_with_sanitizers", "run_tests", "sanitized_environment"]

SANITIZERS = "address,undefined"

TESTS = (
    "tests/kernels",
    "tests/network/test_projected_lstm.py",
    "tests/network/test_bidirectional_lstm.py",
    "tests/network/test_char_cnn.py",
    "tests/network/test_highway.py",
    "tests/network/test_precision.py",
)
"""The tests that run compiled kernels."""

PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "--capture=sys", "-p", "no:cacheprovider")

# Triton is another compiler, and the choice of kernels is tested with libraries of its own.
LEFT_OUT = ("tests/kernels/test_gpu.py", "tests/kernels/test_dispatch.py")


def copy_with_sanitizers(folder: Path) -> Path:
    """
    Copies the package and its tests, and compiles the copy's kernels with the sanitizers.

    # Parameters

    folder : `Path`
        Folder for the copy, which is empty.

    # Returns

    `Path`
        The compiled library.
    """
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for name in ("allennlp_elmo_plugin", "tests"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.cfg"):
        shutil.copy(REPOSITORY / name, folder)
    library = folder / "allennlp_elmo_plugin" / "kernels" / "_compiled.so"
    objects_folder = folder / "objects"
    objects_folder.mkdir()
    objects = compile_objects(sorted(KERNELS.glob("*.c")), SANITIZERS, objects_folder)
    link(objects, SANITIZERS, library, "-shared")
    return library


def sanitized_environment(threads: int = 2) -> Dict[str, str]:
    """
    Returns the environment for a Python that loads the library.

    # Parameters

    threads : `int`, optional (default = `2`)
        Number of OpenMP's threads.

    # Returns

    `Dict[str, str]`
    """
    runtimes = [
        subprocess.run(
            [find_compiler(), f"-print-file-name={name}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return {
        **os.environ,
        # A library's sanitizer has to be there before any memory is allocated.
        "LD_PRELOAD": " ".join(runtimes),
        # Python keeps memory until it ends, and a test asks for more memory than there is.
        "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "OMP_NUM_THREADS": str(threads),
    }


def run_tests(folder: Path, tests: Sequence[str] = TESTS) -> str:
    """
    Runs tests on the kernels with sanitizers; a report of theirs ends the process.

    # Parameters

    folder : `Path`
        Folder for the copy of the package, which is empty.
    tests : `Sequence[str]`, optional (default = `TESTS`)
        The tests.

    # Returns

    `str`
        The summary of pytest.

    # Raises

    `RuntimeError`
        If a test fails or a sanitizer reports something, with the end of the output.
    """
    copy_with_sanitizers(folder)
    ignored = [f"--ignore={test}" for test in LEFT_OUT]
    result = subprocess.run(
        # Pytest would keep what a sanitizer writes before it ends the process.
        [*PYTEST, *ignored, *tests],
        cwd=folder,
        env={**sanitized_environment(), "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if result.returncode:
        raise RuntimeError(
            f"The kernels under {SANITIZERS} ended with status {result.returncode}:\n"
            + _report_in(result.stdout)
        )
    return result.stdout.strip().splitlines()[-1]


def _report_in(output: str) -> str:
    """Returns the output from the first report on, or its end if there is none."""
    places = [output.find(mark) for mark in ("runtime error:", "ERROR: AddressSanitizer")]
    found = [place for place in places if place >= 0]
    begin = max(0, min(found) - 500) if found else max(0, len(output) - 6000)
    return output[begin : begin + 6000]
