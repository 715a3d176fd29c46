"""
Runs the kernels under all sanitizers: `make sanitize` or `python -m reliability.sanitize`.
"""

import sys
import tempfile
from pathlib import Path

from reliability.sanitize.address import SANITIZERS, run_tests
from reliability.sanitize.compiler import missing_sanitizer
from reliability.sanitize.threads import SANITIZER, compile_program, run_program

SIZES = ((4, 1), (8, 1), (4, 4), (3, 8))
"""Threads of a kernel, and threads that call kernels at once."""


def main() -> int:
    """
    Runs everything, and prints one line for each sanitizer and a summary.

    # Returns

    `int`
        Exit status: 0 if no sanitizer reports anything.
    """
    for sanitizers in (SANITIZERS, SANITIZER):
        missing = missing_sanitizer(sanitizers)
        if missing is not None:
            print(f"make sanitize: {missing}", file=sys.stderr)
            return 1
    try:
        with tempfile.TemporaryDirectory() as folder:
            program = compile_program(Path(folder))
            for threads, callers in SIZES:
                capabilities = run_program(program, threads, callers)
        runs = "; ".join(f"{callers} x {threads}" for threads, callers in SIZES)
        print(f"{SANITIZER}: callers x threads {runs}, on {capabilities}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            summary = run_tests(Path(folder))
        print(f"{SANITIZERS}: {summary}", flush=True)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        print("make sanitize: FAILED, see the report above", file=sys.stderr)
        return 1
    print("make sanitize: no report of any sanitizer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
