"""Imports run one way, from plain facts to commands."""

import ast
from pathlib import Path
from typing import Iterator

import pytest

import allennlp_elmo_plugin

ROOT = Path(allennlp_elmo_plugin.__file__).parent

# Each room may import from those above it, and from itself.
LAYERS = (
    ("characters", "archives", "tokenization"),
    ("options",),
    ("weights", "kernels", "activation_store"),
    ("modules",),
    ("parts",),
    ("elmo_token_embedder", "conllu_tagging", "elmo_tagger", "pretraining", "repairs"),
    ("activation_cache_summary", "commands"),
    ("default_callbacks",),
    ("__init__",),
)
RANKS = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def _room(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else path.stem


def _imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [node.module or ""]
        for name in names:
            package, *rooms = name.split(".")
            if package == ROOT.name:
                yield rooms[0] if rooms else "__init__"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_imports_nothing_from_below(path: Path) -> None:
    """A module imports from its own room and from the rooms above it."""
    room = _room(path)
    for imported in _imported_rooms(path):
        assert imported == room or RANKS[imported] < RANKS[room], f"{path} imports {imported}"
