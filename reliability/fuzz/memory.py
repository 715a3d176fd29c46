"""
The memory of this process: its peak, and a limit.
"""

import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["limit_address_space", "peak_memory", "reset_peak_memory"]

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
ON_MACOS = sys.platform == "darwin"


def peak_memory() -> int:
    """Returns the largest resident memory since the last reset, in bytes."""
    if STATUS.exists():
        return _status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if ON_MACOS else peak * 1024


def reset_peak_memory() -> None:
    """Sets the peak back to the memory in use. Where that is impossible, the peak only grows."""
    with suppress(OSError):
        CLEAR_REFS.write_text(RESET_PEAK)


def limit_address_space(more_bytes: int) -> None:
    """
    Makes allocations fail that would exhaust the machine.

    # Parameters

    more_bytes : `int`
        The largest growth of the address space, in bytes.
    """
    if STATUS.exists():
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + more_bytes, hard))


def _status(key: str) -> int:
    for line in STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"'{STATUS}' has no line '{key}'.")
