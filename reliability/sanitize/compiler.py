"""
Compiling the kernels with a sanitizer.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import List, Optional, Sequence

__all__ = ["KERNELS", "REPOSITORY", "compile_objects", "find_compiler", "link", "missing_sanitizer"]

REPOSITORY = Path(__file__).resolve().parents[2]
KERNELS = REPOSITORY / "allennlp_elmo_plugin" / "kernels" / "csrc"

# Optimized little, so that a report names the line, but no slower than it has to be.
FLAGS = ["-O1", "-g", "-fPIC", "-fopenmp", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]


def find_compiler() -> str:
    """
    Returns the C compiler: the environment's `CC`, or else `gcc`, `clang` or `cc`.

    # Raises

    `FileNotFoundError`
        If there is none.
    """
    for name in (os.environ.get("CC"), "gcc", "clang", "cc"):
        if name and shutil.which(name):
            return name
    raise FileNotFoundError("Expected a C compiler, GCC or Clang, got none. Install one.")


def missing_sanitizer(sanitizers: str) -> Optional[str]:
    """
    Returns the reason why a program with a sanitizer cannot be compiled or run here.

    # Parameters

    sanitizers : `str`
        Names for the compiler's option `-fsanitize`, with commas between them.

    # Returns

    `Optional[str]`
        The reason, or `None` if one can.
    """
    try:
        compiler = find_compiler()
    except FileNotFoundError as error:
        return str(error)
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "empty.c"), Path(folder, "empty")
        source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        for command in (
            [compiler, f"-fsanitize={sanitizers}", str(source), "-o", str(program)],
            [str(program)],
        ):
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                said = (result.stderr.strip().splitlines() or ["no message"])[0]
                return f"'{command[0]}' with -fsanitize={sanitizers} failed: {said}"
    return None


def compile_objects(
    sources: Sequence[Path], sanitizers: str, folder: Path, *options: str
) -> List[Path]:
    """
    Compiles C files with sanitizers.

    # Parameters

    sources : `Sequence[Path]`
        The C files.
    sanitizers : `str`
        Names for the compiler's option `-fsanitize`, with commas between them.
    folder : `Path`
        Folder for the object files.
    options : `str`
        Further options of the compiler.

    # Returns

    `List[Path]`
        The object files.

    # Raises

    `subprocess.CalledProcessError`
        If the compiler finds an error, which it has printed.
    """
    common = [find_compiler(), *FLAGS, f"-fsanitize={sanitizers}", f"-I{KERNELS}", *options]
    objects = [folder / f"{source.stem}.o" for source in sources]
    for source, output in zip(sources, objects):
        subprocess.run([*common, "-c", str(source), "-o", str(output)], check=True)
    return objects


def link(objects: Sequence[Path], sanitizers: str, output: Path, *options: str) -> None:
    """
    Links object files, without the compiler's own library of OpenMP.

    # Parameters

    objects : `Sequence[Path]`
        The object files.
    sanitizers : `str`
        The names that they were compiled with.
    output : `Path`
        The program or library.
    options : `str`
        Further options of the linker.

    # Raises

    `subprocess.CalledProcessError`
        If the linker finds an error, which it has printed.
    """
    command = [find_compiler(), f"-fsanitize={sanitizers}", *map(str, objects), *options]
    subprocess.run([*command, "-o", str(output), "-lm", "-lpthread"], check=True)
