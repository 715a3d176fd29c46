"""The package installs from its wheel alone, for every Python of a platform, with no compiler."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import pytest
from packaging.utils import parse_wheel_filename

from tests.support.kernels import CAPABILITIES
from tests.support.paths import REPOSITORY

PACKAGE = REPOSITORY / "allennlp_elmo_plugin"
NO_COMPILER = {"PATH": "", "CC": "/nonexistent/cc", "CXX": "/nonexistent/c++"}

USE_IT = """
import json
import allennlp_elmo_plugin as package
from allennlp_elmo_plugin.kernels import available_kernels

embedder = package.ElmoTokenEmbedder("pretrained:small", "pretrained:small").eval()
vectors = embedder(package.spell_sentences([["It", "rains", "."]]))
print(json.dumps([package.__file__, list(vectors.shape), available_kernels()]))
"""

needs_kernels = pytest.mark.skipif(not CAPABILITIES, reason="no kernels were compiled here")


def run(command: List[str], environment: Dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Runs a command in an environment that says nothing about this repository."""
    return subprocess.run(
        command,
        cwd=os.sep,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def build(folder: Path, environment: Dict[str, str]) -> Path:
    """Builds the wheel from a copy of the sources, and returns its path."""
    shutil.copytree(
        str(PACKAGE),
        str(folder / PACKAGE.name),
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(str(REPOSITORY / name), str(folder))
    shutil.copytree(str(REPOSITORY / "requirements"), str(folder / "requirements"))
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = run([*pip, "--wheel-dir", str(folder), str(folder)], environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(name="wheel", scope="module")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with this machine's compiler."""
    return build(tmp_path_factory.mktemp("sources"), {"PATH": os.environ["PATH"]})


class Installation:
    """A wheel in an environment of its own, where no compiler runs."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        venv.create(str(folder), with_pip=False)
        self.folder = folder
        self.python = str(folder / "bin" / "python")
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "--no-index"]
        done = run([*pip, "--no-deps", str(wheel)], NO_COMPILER)
        assert done.returncode == 0, done.stdout + done.stderr

    def add_dependencies(self) -> None:
        """Makes the packages of the tests' environment importable, but not its `.pth` files."""
        (site_packages,) = self.folder.glob("lib/python*/site-packages")
        (site_packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    def use(self) -> List[Any]:
        """Embeds a sentence; returns the package's file, the vectors' shape and the kernels."""
        done = run([self.python, "-W", "ignore", "-c", USE_IT], NO_COMPILER)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


def names_in(wheel: Path) -> List[str]:
    """Returns the paths of the files in a wheel."""
    with zipfile.ZipFile(str(wheel)) as archive:
        return archive.namelist()


@needs_kernels
def test_the_wheel_runs_without_a_compiler(wheel: Path, tmp_path: Path) -> None:
    """An installed wheel has its own code, weights and kernels."""
    installation = Installation(tmp_path, wheel)
    installation.add_dependencies()
    file, shape, kernels = installation.use()
    assert tmp_path in Path(file).parents
    assert shape == [1, 3, 256]
    assert kernels == [*CAPABILITIES, "plain"]


def test_the_sources_install_without_a_compiler(tmp_path: Path) -> None:
    """Without a compiler the wheel is built all the same; PyTorch does the work of the kernels."""
    names = names_in(build(tmp_path, NO_COMPILER))
    assert "allennlp_elmo_plugin/kernels/dispatch.py" in names
    assert "allennlp_elmo_plugin/kernels/_compiled.so" not in names


def test_the_error_without_allennlp_says_what_to_install(wheel: Path, tmp_path: Path) -> None:
    """The error of the import gives the command, which is the documentation's as well."""
    installation = Installation(tmp_path, wheel)
    done = run([installation.python, "-c", "import allennlp_elmo_plugin"], NO_COMPILER)
    command = "pip install --no-deps allennlp==2.10.1"
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: Expected AllenNLP 2.10.1 beside allennlp_elmo_plugin, found no package "
        f"'allennlp'. Install it with: {command}"
    )
    for page in ("README.md", "docs/getting-started.md"):
        assert f"$ {command} " in (REPOSITORY / page).read_text(encoding="utf-8")


def test_the_wheel_fits_every_python_of_a_platform(wheel: Path) -> None:
    """The wheel's name has a platform, but no version of Python and no ABI."""
    *_, tags = parse_wheel_filename(wheel.name)
    (tag,) = tags
    assert (tag.interpreter, tag.abi) == ("py3", "none")
    assert tag.platform != "any"


def test_the_wheel_is_complete(wheel: Path) -> None:
    """The wheel has every module, the weights, the mark of its types, and the licence."""
    kinds = {".py", ".typed", ".json", ".hdf5"}
    files = [path for path in PACKAGE.rglob("*") if path.suffix in kinds]
    expected = {path.relative_to(REPOSITORY).as_posix() for path in files}
    names = names_in(wheel)
    assert expected - set(names) == set()
    (licence,) = [name for name in names if Path(name).name == "LICENSE"]
    with zipfile.ZipFile(str(wheel)) as archive:
        assert archive.read(licence) == (REPOSITORY / "LICENSE").read_bytes()


@needs_kernels
def test_the_library_names_no_other(wheel: Path) -> None:
    """The kernels use PyTorch's OpenMP, and name no folder of the Python that compiled them."""
    with zipfile.ZipFile(str(wheel)) as archive:
        library = archive.read("allennlp_elmo_plugin/kernels/_compiled.so")
    for name in ("libgomp", "libomp", os.path.join(sys.base_prefix, "lib")):
        assert name.encode() not in library
