"""
Setup by `make` installs the right stack, and installs again only if it must.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import List

import pytest

from tests.support.paths import REPOSITORY

# A fake Python: it answers the Makefile's question for its version, and "installs" by writing each
# pip command to a log. It fails if there is a file `broken`.
PYTHON = """#!/bin/sh
case "$*" in
    -c*) echo {version} ;;
    "-m venv --clear "*) rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    *) echo "$*" >> {folder}/installs; test ! -e {folder}/broken ;;
esac
"""

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def executable(path: Path, text: str) -> Path:
    """Writes an executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


class Checkout:
    """A copy of the files that `make setup` reads, with a Python that installs nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", "setup.cfg", "setup.py", "pyproject.toml"):
            shutil.copy(str(REPOSITORY / name), str(folder))
        shutil.copytree(str(REPOSITORY / "requirements"), str(folder / "requirements"))

    def setup(self, version: str = "3.11") -> int:
        """Runs `make setup` with a Python of this version and returns its exit status."""
        python = executable(
            self.folder / f"python{version}", PYTHON.format(version=version, folder=self.folder)
        )
        # A make that runs the tests would pass its own variables on in the environment.
        done = subprocess.run(
            ["make", "setup", f"PYTHON={python}"],
            cwd=str(self.folder),
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.output = done.stdout.decode("utf-8")
        return done.returncode

    def installed_locks(self) -> List[str]:
        """Returns the locks that were installed so far, in order."""
        words = (self.folder / "installs").read_text(encoding="utf-8").split()
        return [word for word in words if word.startswith("requirements/")]

    def age(self, name: str, seconds: int) -> None:
        """Makes a file some seconds newer than now."""
        # Its own time is no base: a copy may be as old as the clone that it comes from.
        moment = time.time() + seconds
        os.utime(str(self.folder / name), (moment, moment))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Checkout in a temporary folder."""
    return Checkout(tmp_path)


@needs_make
@pytest.mark.parametrize(
    "version, stack",
    [
        ("3.8", "pinned"),
        ("3.9", "pinned"),
        ("3.10", "pinned"),
        ("3.11", "current"),
        ("3.13", "current"),
    ],
)
def test_python_chooses_the_stack(checkout: Checkout, version: str, stack: str) -> None:
    """The stack with AllenNLP's own pins is installed on Python 3.8 to 3.10 alone."""
    assert checkout.setup(version) == 0, checkout.output
    assert checkout.installed_locks() == [f"requirements/{stack}.txt"]


@needs_make
@pytest.mark.parametrize("version", ["2.7", "3.7"])
def test_old_python_is_refused(checkout: Checkout, version: str) -> None:
    """The error names a Python that is too old, and nothing is installed."""
    assert checkout.setup(version) != 0
    assert f"is {version};" in checkout.output
    assert "3.8 or newer" in checkout.output
    assert not (checkout.folder / "installs").exists()


@needs_make
def test_second_run_reuses_the_environment(checkout: Checkout) -> None:
    """A second run installs nothing."""
    assert checkout.setup() == 0, checkout.output
    before = (checkout.folder / "installs").read_text(encoding="utf-8")
    assert checkout.setup() == 0, checkout.output
    assert (checkout.folder / "installs").read_text(encoding="utf-8") == before


@needs_make
def test_failed_install_is_repeated(checkout: Checkout) -> None:
    """The next run after a failed install installs again."""
    (checkout.folder / "broken").touch()
    assert checkout.setup() != 0
    (checkout.folder / "broken").unlink()
    assert checkout.setup() == 0, checkout.output
    assert checkout.installed_locks() == ["requirements/current.txt"] * 2


@needs_make
def test_changed_lock_is_installed_from_scratch(checkout: Checkout) -> None:
    """A changed lock is installed into an empty environment."""
    assert checkout.setup() == 0, checkout.output
    leftover = checkout.folder / ".venv" / "leftover"
    leftover.touch()
    checkout.age("requirements/current.txt", 3600)
    assert checkout.setup() == 0, checkout.output
    assert checkout.installed_locks() == ["requirements/current.txt"] * 2
    assert not leftover.exists()


@needs_make
def test_another_python_makes_another_environment(checkout: Checkout) -> None:
    """Another Python gets a new environment."""
    assert checkout.setup("3.11") == 0, checkout.output
    assert checkout.setup("3.10") == 0, checkout.output
    assert checkout.installed_locks() == ["requirements/current.txt", "requirements/pinned.txt"]


def find_pinned_python(path: Path, pyenv: Path) -> "subprocess.CompletedProcess[bytes]":
    """Runs the script that looks for a Python of the pinned stack."""
    return subprocess.run(
        ["/bin/bash", str(REPOSITORY / ".ci" / "pinned_python")],
        env={"PATH": str(path), "PYENV_ROOT": str(pyenv)},
        capture_output=True,
        check=False,
    )


def test_pinned_python_is_found_behind_a_shim_that_refuses(tmp_path: Path) -> None:
    """A Python in the folder of pyenv is found if pyenv's shim fails."""
    executable(tmp_path / "path" / "python3.10", "#!/bin/sh\nexit 127\n")
    python = executable(tmp_path / "versions" / "3.10.13" / "bin" / "python", "#!/bin/sh\nexit 0\n")
    found = find_pinned_python(tmp_path / "path", tmp_path)
    assert found.stdout.decode("utf-8") == f"{python}\n"
    assert found.returncode == 0


def test_no_pinned_python_is_an_error_that_says_so(tmp_path: Path) -> None:
    """The error names the Python versions that were looked for."""
    found = find_pinned_python(tmp_path, tmp_path)
    assert found.returncode == 1
    assert found.stdout == b""
    assert b"No Python 3.8, 3.9 or 3.10 found" in found.stderr
