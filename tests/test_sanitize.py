"""Tests that `make sanitize` finds nothing in the kernels, and would find what is there."""

import subprocess
import sys
from pathlib import Path

import pytest

from reliability.sanitize import address, threads
from reliability.sanitize.compiler import compile_objects, link, missing_sanitizer


def _needs(sanitizers: str) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the sanitizers are preloaded on Linux alone")
    missing = missing_sanitizer(sanitizers)
    if missing is not None:
        pytest.skip(missing)


def test_threads_of_kernels_have_no_race(tmp_path: Path) -> None:
    """Every kernel runs on three threads, two times at once, without a data race."""
    _needs(threads.SANITIZER)
    capabilities = threads.run_program(threads.compile_program(tmp_path), 3, 2)
    assert "generic" in capabilities


def test_threads_without_barriers_are_found(tmp_path: Path) -> None:
    """The same program reports a data race where threads do not wait for each other."""
    _needs(threads.SANITIZER)
    program = threads.compile_program(tmp_path, "-DWITHOUT_BARRIERS")
    with pytest.raises(RuntimeError, match="data race"):
        threads.run_program(program, 3, 1)


@pytest.mark.parametrize(
    "body, message",
    [
        ("char *p = malloc(8); free(p); n += p[n];", "heap-use-after-free"),
        ("n += 2147483647; return n > 0;", "signed integer overflow"),
    ],
)
def test_faults_end_a_python_that_loads_them(tmp_path: Path, body: str, message: str) -> None:
    """A library with a fault ends Python with a report, so a test on it cannot pass."""
    _needs(address.SANITIZERS)
    source, library = tmp_path / "fault.c", tmp_path / "fault.so"
    source.write_text(
        f"#include <stdlib.h>\nint fault(int n) {{ {body} return n; }}\n", encoding="utf-8"
    )
    objects = compile_objects([source], address.SANITIZERS, tmp_path)
    link(objects, address.SANITIZERS, library, "-shared")
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).fault(1)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=address.sanitized_environment(),
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode != 0 and message in result.stderr
