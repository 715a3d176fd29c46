"""
The worker process, which runs cases and is expected to die.
"""

import faulthandler
import logging
import shutil
import tempfile
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Dict, Type

import torch

from reliability.fuzz.kind import ClearError, Kind, UnclearError, WrongResult
from reliability.fuzz.memory import limit_address_space, peak_memory, reset_peak_memory
from reliability.fuzz.result import CaseResult, Outcome, describe_error, name_of, place_of

__all__ = ["MEMORY_LIMIT", "READY", "SECONDS_LIMIT", "build", "random_of", "serve"]

SECONDS_LIMIT = 5.0
"""The longest time of a case, in seconds."""

MEMORY_LIMIT = 10**9
"""The largest memory of a case above the worker's start, in bytes."""

# Address space may be reserved without being used; this limit only protects the machine.
ADDRESS_SPACE = 4 * MEMORY_LIMIT

READY = "ready"
FAILURE_NAMES: Dict[Type[BaseException], str] = {
    WrongResult: "wrong result",
    UnclearError: "unclear error",
}


def random_of(kind: str, seed: int, index: int) -> Random:
    """Returns the source of random choices of a case, the same on every machine."""
    return Random(f"{kind} {seed} {index}")


def build(kind: Type[Kind], folder: Path) -> Kind:
    """
    Prepares this process for cases.

    # Parameters

    kind : `Type[Kind]`
        Kind of the cases.
    folder : `Path`
        Folder for all files, made anew.

    # Returns

    `Kind`
        Kind with its honest files.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("honest", "temporary"):
        (folder / name).mkdir(parents=True)
    tempfile.tempdir = str(folder / "temporary")
    prepared = kind(folder / "honest")
    limit_address_space(ADDRESS_SPACE)
    return prepared


def serve(connection: Connection, kind: Type[Kind], folder: Path, seed: int, traces: Path) -> None:
    """
    Runs the cases whose numbers come through a connection, and answers with their results.

    # Parameters

    connection : `Connection`
        Connection to the watching process, closed by it at the end.
    kind : `Type[Kind]`
        Kind of the cases.
    folder : `Path`
        Folder for all files.
    seed : `int`
        Seed of all cases.
    traces : `Path`
        File for the stack of a crash or a hang.
    """
    with open(traces, "w") as trace_file:
        faulthandler.enable(trace_file)
        prepared = build(kind, folder)
        reset_peak_memory()
        start = peak_memory()
        connection.send(READY)
        while True:
            try:
                index = connection.recv()
            except EOFError:
                return
            faulthandler.dump_traceback_later(0.9 * SECONDS_LIMIT, file=trace_file)
            result = _run(prepared, folder / "case", seed, index, start)
            faulthandler.cancel_dump_traceback_later()
            connection.send(result)


def _run(kind: Kind, folder: Path, seed: int, index: int, start: int) -> CaseResult:
    folder.mkdir()
    torch.manual_seed(index)
    reset_peak_memory()
    began = perf_counter()
    error = None
    try:
        kind.run(random_of(kind.name, seed, index), folder)
    # Also what no `Exception` is: it would end the user's process as well.
    except BaseException as raised:
        error = raised
    seconds = perf_counter() - began
    memory = max(0, peak_memory() - start)
    shutil.rmtree(folder, ignore_errors=True)
    if memory > MEMORY_LIMIT:
        return CaseResult(
            index,
            Outcome.FAILURE,
            seconds,
            memory,
            "memory",
            "" if error is None else place_of(error),
        )
    if error is None:
        return CaseResult(index, Outcome.CORRECT, seconds, memory)
    if isinstance(error, ClearError):
        return CaseResult(index, Outcome.CLEAR_ERROR, seconds, memory)
    name = FAILURE_NAMES.get(type(error)) or name_of(type(error))
    return CaseResult(
        index, Outcome.FAILURE, seconds, memory, name, place_of(error), describe_error(error)
    )
