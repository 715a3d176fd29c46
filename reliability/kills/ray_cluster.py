"""
A Ray cluster of two nodes on this machine, whose workers and second node can be killed.
"""

import ctypes
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Dict, List, Optional, Tuple

__all__ = ["RayCluster"]

START = [sys.executable, "-W", "ignore", "-m", "ray.scripts.scripts", "start", "--block"]
NODE = ["--num-cpus=3", "--object-store-memory=100000000", "--disable-usage-stats"]
ADDRESS_FILE = "ray_current_cluster"
WORKER = "ray::MapWorker(MapBatches(ShardWorker))"
"""Start of the command line of a process that runs shards."""
TIME_LIMIT = 120.0
TERMINATED = 128 + signal.SIGTERM
DIE_WITH_PARENT = 1
"""Number of the option of Linux's `prctl`."""


class RayCluster:
    """
    A cluster of a head and a second node, which ends with the block that it is used in.

    It runs on Linux alone, where both nodes die with this process.
    """

    def __init__(self) -> None:
        # A socket's path may have some hundred characters, so the folder is not the trial's.
        self._folder = Path(mkdtemp(prefix="ray."))
        # Ray refuses other people's programs on this machine by it.
        self._variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self._before = {name: os.environ.get(name) for name in self._variables}
        self._processes: List[Optional[subprocess.Popen[bytes]]] = [None, None]

    def __enter__(self) -> "RayCluster":
        os.environ.update(self._variables)
        # The block is also left when 'timeout' ends this process.
        self._handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
        try:
            self._processes[0] = self._start("head", ["--head", "--port=0", "--no-monitor"])
            self.repair()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        for number in reversed(range(2)):
            self._kill_node(number)
        # One that was just being started is no longer the child of a node.
        _kill([each for each, (_, line) in _processes().items() if str(self._folder) in line])
        for name, value in self._before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
        shutil.rmtree(self._folder)
        signal.signal(signal.SIGTERM, self._handler)

    @property
    def address(self) -> str:
        """Address of the head."""
        return (self._folder / ADDRESS_FILE).read_text(encoding="utf-8").strip()

    def repair(self) -> None:
        """Starts a second node, if there is none."""
        if self._processes[1] is None:
            self._processes[1] = self._start("second", [f"--address={self.address}"])

    def kill_second_node(self) -> bool:
        """
        Kills the second node and all its workers at once.

        # Returns

        `bool`
            `False` if there is none.
        """
        return self._kill_node(1)

    def kill_worker(self, drawn: random.Random) -> bool:
        """
        Kills a process that runs shards.

        # Parameters

        drawn : `random.Random`
            The source of randomness.

        # Returns

        `bool`
            `False` if there is none at the moment.
        """
        ids = [each.pid for each in self._processes if each is not None]
        workers = [
            process
            for process, name in _descendants(ids).items()
            if name.startswith(WORKER) and "__init__" not in name
        ]
        if not workers:
            return False
        os.kill(drawn.choice(workers), signal.SIGKILL)
        return True

    def _start(self, name: str, options: List[str]) -> "subprocess.Popen[bytes]":
        is_head = "--head" in options
        folder = [f"--temp-dir={self._folder}", "--include-dashboard=false"] if is_head else []
        log = self._folder / f"{name}.log"
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [*START, *options, *folder, *NODE],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        deadline = time.monotonic() + TIME_LIMIT
        while b"will now block" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                _kill([process.pid, *_descendants([process.pid])])
                raise RuntimeError(f"Ray did not start: {log.read_text(encoding='utf-8')}")
            time.sleep(0.1)
        return process

    def _kill_node(self, number: int) -> bool:
        process, self._processes[number] = self._processes[number], None
        if process is None:
            return False
        _kill([process.pid, *_descendants([process.pid])])
        process.wait()
        return True


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


def _kill(processes: List[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _descendants(ancestors: List[int]) -> Dict[int, str]:
    """Returns the command lines of the children of processes, and of theirs, by their ids."""
    processes = _processes()
    found: Dict[int, str] = {}
    generation = set(ancestors)
    while generation:
        generation = {each for each, (parent, _) in processes.items() if parent in generation}
        found.update((each, processes[each][1]) for each in generation)
    return found


def _processes() -> Dict[int, Tuple[int, str]]:
    """Returns the parent and the command line of each process of this machine, by its id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        # It may end at any moment.
        with suppress(FileNotFoundError, ProcessLookupError):
            parent = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            line = (folder / "cmdline").read_text(encoding="utf-8", errors="replace")
            found[int(folder.name)] = (int(parent), line)
    return found
