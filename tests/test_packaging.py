"""
Declared, locked and imported packages agree.
"""

import ast
import configparser
import importlib.util
import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Set

import pytest
from allennlp.common.plugins import discover_file_plugins
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setuptools import find_packages

from tests.support.paths import REPOSITORY

PACKAGE = REPOSITORY / "allennlp_elmo_plugin"
LOCKED_PYTHONS = [
    ("pinned", "3.8"),
    ("pinned", "3.9"),
    ("pinned", "3.10"),
    ("current", "3.11"),
    ("current", "3.12"),
    ("current", "3.13"),
]
LOCKS = ["current", "pinned"]
THIS_STACK = "pinned" if sys.version_info < (3, 11) else "current"
THIS_PYTHON = "{}.{}".format(*sys.version_info)

built_by_make = pytest.mark.skipif(
    not list(Path(sys.prefix).glob(".locked-*")),
    reason="make did not build this environment, so it may differ from the lock",
)


def setup_cfg() -> configparser.ConfigParser:
    """Reads setup.cfg."""
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg")
    return config


def requirements_of(text: str) -> List[Requirement]:
    """Parses the lines of a requirements file, without comments."""
    lines = (line.strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def install_requires() -> List[Requirement]:
    """Returns the requirements of the package itself."""
    return requirements_of(setup_cfg()["options"]["install_requires"])


def extra_requirements(name: str) -> List[Requirement]:
    """Returns the requirements of an extra."""
    return requirements_of(setup_cfg()["options.extras_require"][name])


def all_requirements() -> List[Requirement]:
    """Returns the requirements of the package and of its extras."""
    extras = setup_cfg()["options.extras_require"]
    return install_requires() + [
        requirement
        for name in extras
        # The tools of the documentation have a lock of their own.
        if name != "docs"
        for requirement in extra_requirements(name)
    ]


def marker_environment(python: str) -> Dict[str, str]:
    """Returns the environment markers of a Python version on Linux."""
    return {
        "extra": "",
        "implementation_name": "cpython",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "python_full_version": f"{python}.20",
        "python_version": python,
        "sys_platform": "linux",
    }


def applies(requirement: Requirement, python: str) -> bool:
    """Returns `True` for a requirement whose marker holds for a Python version."""
    return requirement.marker is None or requirement.marker.evaluate(marker_environment(python))


def lock_text(stack: str) -> str:
    """Reads the lock of a stack."""
    return (REPOSITORY / "requirements" / f"{stack}.txt").read_text(encoding="utf-8")


def locked(stack: str, python: str) -> Dict[str, str]:
    """Returns the locked version of every package for a Python version."""
    versions: Dict[str, str] = {}
    for requirement in requirements_of(lock_text(stack)):
        if applies(requirement, python):
            name = canonicalize_name(requirement.name)
            assert name not in versions, f"{name} is locked twice for Python {python}"
            (specifier,) = requirement.specifier
            versions[name] = specifier.version
    return versions


def third_party_modules(package: Path) -> Set[str]:
    """Returns the top-level modules that a package imports, without its own and Python's."""
    found: Set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    return {name for name in found - {package.name} if not in_standard_library(name)}


def in_standard_library(module: str) -> bool:
    """Returns `True` for a module that comes with Python."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return False
    if spec.origin in ("built-in", "frozen"):
        return True
    below = Path(sysconfig.get_paths()["stdlib"]) in Path(spec.origin).parents
    return below and "site-packages" not in spec.origin


# Modules whose distribution has another name.
DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def test_every_imported_module_is_declared() -> None:
    """The package imports nothing but its declared dependencies, and extras on demand."""
    declared = {requirement.name for requirement in install_requires()}
    names = ("parquet", "distributed", "plots", "look")
    extras = [each for name in names for each in extra_requirements(name)]
    # PyTorch for GPUs brings its own release of Triton, and nothing imports it elsewhere. UMAP,
    # which compiles for half a minute when it starts, is for those who ask for it.
    on_demand = {"triton", "umap"} | {each.name for each in extras}
    modules = third_party_modules(PACKAGE)
    imported = {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in modules}
    assert imported - on_demand <= declared


def test_what_is_not_always_there_is_imported_on_demand() -> None:
    """The plugin loads without the packages of extras, and without what needs Triton."""
    # Other packages load these where they are installed, so their absence is feigned.
    code = (
        "import sys; absent = ['bokeh', 'fsspec', 'matplotlib', 'pyarrow', 'ray', 'umap'];"
        "sys.modules.update(dict.fromkeys(absent));"
        "import allennlp_elmo_plugin; print(*sys.modules)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    loaded = done.stdout.decode().split()
    assert "allennlp_elmo_plugin.kernels.gpu.lstm" in loaded
    for name in ("arithmetic", "forward", "backward"):
        assert f"allennlp_elmo_plugin.kernels.gpu.{name}" not in loaded


@pytest.mark.skipif(THIS_STACK == "pinned", reason="AllenNLP brings its own dependencies here")
@pytest.mark.parametrize("package", ["allennlp", "allennlp_models"])
def test_what_allennlp_imports_is_declared(package: str) -> None:
    """From Python 3.11 on, setup.cfg has all that AllenNLP imports, but for what is optional."""
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    modules = third_party_modules(Path(folder)) - {"allennlp", "checklist", "matplotlib", "pytest"}
    # The package scikit-learn is imported as "sklearn".
    distributions = metadata.packages_distributions()
    names = {canonicalize_name(distributions.get(module, [module])[0]) for module in modules}
    declared = {
        canonicalize_name(requirement.name)
        for requirement in all_requirements()
        if applies(requirement, THIS_PYTHON)
    }
    assert names - declared == set()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_current_lock_has_allennlp(python: str) -> None:
    """The lock has AllenNLP itself, which setup.cfg cannot name on these versions of Python."""
    versions = locked("current", python)
    assert versions["allennlp"] == versions["allennlp-models"] == "2.10.1"


def test_every_folder_is_packaged() -> None:
    """Every folder with Python files has an `__init__.py`, which an installation needs."""
    options = setup_cfg()["options.packages.find"]
    packages = set(find_packages(str(REPOSITORY), include=options["include"].split()))
    folders = {
        ".".join(path.parent.relative_to(REPOSITORY).parts)
        for path in PACKAGE.rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert packages == folders


def test_plugins_file_names_the_package() -> None:
    """AllenNLP finds the plugin when it starts in the checkout."""
    assert list(discover_file_plugins(str(REPOSITORY / ".allennlp_plugins"))) == [PACKAGE.name]


@pytest.mark.parametrize("stack", LOCKS)
def test_lock_has_only_names_and_versions(stack: str) -> None:
    """A lock has no host, path or option, so it installs from any index."""
    allowed = re.compile(r"(#.*|[a-z0-9-]+==[0-9][0-9a-z.]*( ; [a-zA-Z0-9_.*<>!=' ()]+)?)")
    text = lock_text(stack)
    assert [line for line in text.splitlines() if not allowed.fullmatch(line)] == []


@pytest.mark.parametrize("stack, python", LOCKED_PYTHONS)
def test_lock_meets_every_requirement(stack: str, python: str) -> None:
    """A lock has one allowed version of every declared package and extra for each Python."""
    versions = locked(stack, python)
    for requirement in all_requirements():
        if applies(requirement, python):
            version = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), (requirement, version)


@pytest.mark.parametrize("stack, python", LOCKED_PYTHONS)
def test_lock_has_no_setuptools_without_pkg_resources(stack: str, python: str) -> None:
    """A lock has setuptools below 81, since py-rouge imports pkg_resources without declaring it."""
    assert int(locked(stack, python)["setuptools"].split(".")[0]) < 81


def needed(requirements: Iterable[Requirement], extras: Set[str]) -> Iterator[Requirement]:
    """Yields the requirements that this Python needs with the given extras."""
    for requirement in requirements:
        environments = [{"extra": extra} for extra in (extras or {""})]
        if not requirement.marker or any(map(requirement.marker.evaluate, environments)):
            yield requirement


@built_by_make
def test_lock_is_complete_and_consistent() -> None:
    """Every dependency of a dependency is locked in an allowed version."""
    versions = locked(THIS_STACK, THIS_PYTHON)
    waiting = [("", requirement) for requirement in needed(all_requirements(), set())]
    seen: Set[str] = set()
    unmet: Set[str] = set()
    while waiting:
        by, requirement = waiting.pop()
        if f"{by}: {requirement}" in seen:
            continue
        seen.add(f"{by}: {requirement}")
        name = canonicalize_name(requirement.name)
        if name not in versions:
            unmet.add(f"{by}: {requirement}, which is not locked")
            continue
        if not requirement.specifier.contains(versions[name]):
            unmet.add(f"{by}: {requirement}, locked at {versions[name]}")
        stated = [Requirement(line) for line in metadata.requires(name) or []]
        waiting.extend((name, needed_by) for needed_by in needed(stated, requirement.extras))
    assert unmet == set()


@built_by_make
def test_installed_versions_are_the_locked_ones() -> None:
    """The tests run on the locked versions."""
    versions = locked(THIS_STACK, THIS_PYTHON)
    assert {name: metadata.version(name) for name in versions} == versions
