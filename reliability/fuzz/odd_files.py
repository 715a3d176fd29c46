"""
Things at a path that are no readable file.
"""

import os
from pathlib import Path
from random import Random

__all__ = ["place_odd_file"]


def place_odd_file(random: Random, path: Path) -> None:
    """
    Places nothing, a folder, a pipe, a device, an empty file or a broken link at a path.

    # Parameters

    random : `Random`
        Source of random choices.
    path : `Path`
        Path of nothing yet.
    """
    random.choice((_nothing, _folder, _pipe, _device, _empty, _loop, _dangling))(path)


def _nothing(path: Path) -> None:
    assert not path.exists()


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "inner.txt").write_text("inner\n")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _empty(path: Path) -> None:
    path.touch()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("missing")
