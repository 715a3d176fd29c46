"""Imports run one way: from plain facts over the network and the embedder to the commands."""

import ast
from pathlib import Path
from typing import Iterator

import pytest

import allennlp_elmo_plugin

ROOT = Path(allennlp_elmo_plugin.__file__).parent

# Each line may import from the lines above it, and each room from itself. Rooms of one line do not
# import each other.
LAYERS = (
    ("io",),
    ("archive", "patches", "network.spelling", "network.options"),
    ("weights", "kernels"),
    ("network",),
    ("embedder",),
    ("language_model", "tagging"),
    ("extraction",),
    ("scoring",),
    ("compat", "look", "senses"),
    ("commands",),
    ("__init__",),
)
RANKS = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def _name(path: Path) -> str:
    """Returns a module's name below the package, which is its room's for an `__init__`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _rank(module: str) -> int:
    """Returns the rank of the longest name in the table that the module stands under."""
    names = [room for room in RANKS if f"{module}.".startswith(f"{room}.")]
    return RANKS[max(names, key=len)]


def _imported_modules(path: Path) -> Iterator[str]:
    """Yields the modules of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [node.module or ""]
        for name in names:
            package, _, module = name.partition(".")
            if package == ROOT.name:
                yield module or "__init__"


@pytest.mark.parametrize("room", sorted(RANKS))
def test_the_table_names_rooms_that_exist(room: str) -> None:
    """Every name in the table is a folder or a module of the package."""
    path = ROOT.joinpath(*room.split("."))
    assert path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_imports_nothing_from_below(path: Path) -> None:
    """A module imports from the lines above its own, and from its own room."""
    module = _name(path)
    for imported in _imported_modules(path):
        assert (
            imported.split(".")[0] == module.split(".")[0] and _rank(imported) <= _rank(module)
        ) or _rank(imported) < _rank(module), f"{path} imports {imported}"
