"""
The threads of the kernels under ThreadSanitizer.

A C program runs every kernel on several threads, and from several threads at once. Python does
not run under ThreadSanitizer: neither the interpreter, PyTorch nor GCC's library of OpenMP is
compiled with it, so it would not see how their threads wait for each other, and would report races
where there are none. The program has the few functions of OpenMP that the kernels call on pthreads,
whose waiting it does see.
"""

import subprocess
from pathlib import Path

from reliability.sanitize.compiler import KERNELS, compile_objects, link

__all__ = ["compile_program", "run_program"]

SANITIZER = "thread"
SOURCES = Path(__file__).parent


def compile_program(folder: Path, *options: str) -> Path:
    """
    Compiles the kernels and the program that runs them.

    # Parameters

    folder : `Path`
        Folder for the program and its object files.
    options : `str`
        Further options of the compiler.

    # Returns

    `Path`
        The program.
    """
    sources = [*sorted(KERNELS.glob("*.c")), *sorted(SOURCES.glob("*.c"))]
    program = folder / "run_kernels"
    link(compile_objects(sources, SANITIZER, folder, *options), SANITIZER, program)
    return program


def run_program(program: Path, threads: int, callers: int) -> str:
    """
    Runs the program; it ends at the first data race.

    # Parameters

    program : `Path`
        The program.
    threads : `int`
        Number of threads of each kernel.
    callers : `int`
        Number of threads that call kernels at once.

    # Returns

    `str`
        The capabilities that ran, with commas between them.

    # Raises

    `RuntimeError`
        If there is a data race or a wrong result, with the report.
    """
    result = subprocess.run(
        [str(program), str(threads), str(callers)],
        env={"TSAN_OPTIONS": "halt_on_error=1"},
        capture_output=True,
        encoding="utf-8",
    )
    if result.returncode:
        raise RuntimeError(
            f"The kernels on {threads} threads, called by {callers} at once, ended with status "
            f"{result.returncode}:\n{result.stderr[:6000]}"
        )
    return ", ".join(result.stdout.split())
