"""Docstrings have one form and plain sentences, and retired words stay retired."""

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

import pytest

from tests.support.paths import REPOSITORY

FOLDERS = ("allennlp_elmo_plugin", "benchmarks", "reliability", "tests")
HEADINGS = ["Parameters", "Returns", "Raises", "Examples"]
# A relative clause is no sentence, unless it asks something.
CLAUSE = re.compile(r"(whether|what|how|where|which|that)\b", re.IGNORECASE)

# Words that once stood for these things, by what is written now. `_` separates words, too.
RETIRED: Dict[str, str] = {
    "impurity|is_pure": "uncacheable_reason",
    "(un)?settl(e|es|ed|ing)": "converge",
    "spare|spares|spared|sparing": "cache",
    "(un)?packed|packs|packing|packable|pack_into_windows": "time-major, tiled or filled",
    "winner|winners": "argmax",
    "repair|repairs|repaired": "patch",
    "written_whole": "write_atomically",
    "made[ -_]up": "generated",
}


class Docstring(NamedTuple):
    """
    A docstring and its place.

    # Parameters

    place : `str`
        Path and line of what the docstring belongs to.
    text : `str`
        Text without the indentation.
    """

    place: str
    text: str


def rooms() -> List[Path]:
    """Returns the folders with Python files, by which the faults are reported."""
    paths = [path for name in FOLDERS for path in (REPOSITORY / name).rglob("*.py")]
    return sorted({path.parent for path in paths if "__pycache__" not in path.parts})


ROOMS = rooms()
PACKAGE = [room for room in ROOMS if FOLDERS[0] in room.parts]


def name_of(room: Path) -> str:
    """Returns the path of a room from the repository."""
    return str(room.relative_to(REPOSITORY))


def docstrings(room: Path) -> Iterator[Docstring]:
    """Yields the docstrings of a room's modules, classes and functions."""
    for path in sorted(room.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = ast.get_docstring(node)
                if text is not None:
                    line = getattr(node, "lineno", 1)
                    yield Docstring(f"{path.relative_to(REPOSITORY)}:{line}", text)


def headings(text: str) -> List[str]:
    """Returns the headings of a docstring, but for comments in its examples."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ *(.*?) *$", without_code, flags=re.MULTILINE)


def descriptions(text: str) -> Iterator[str]:
    """Yields what follows a name or a type in a docstring's lists, as one line each."""
    for section in re.split(r"^#+ .*$", text, flags=re.MULTILINE)[1:]:
        for entry in re.findall(r"^\S.*\n((?:(?:[ \t]+\S.*)?\n?)+)", section, flags=re.MULTILINE):
            if entry.strip():
                yield " ".join(entry.split())


def is_clause(text: str) -> bool:
    """Returns `True` for a text whose first sentence opens like a relative clause."""
    sentence = re.split(r"(?<=[.?!])\s", " ".join(text.split()))[0]
    return CLAUSE.match(sentence) is not None and not sentence.endswith("?")


def words_of_a_module(path: Path) -> Iterator[Tuple[int, str]]:
    """Yields a module's identifiers, comments and docstrings, each with its line."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NAME, tokenize.COMMENT):
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""


def retired_words(text: str) -> List[str]:
    """Returns what to write instead of each retired word in a text."""
    # CamelCase and snake_case fall apart into words.
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    return [
        f"'{found.group()}' -> '{instead}'"
        for retired, instead in RETIRED.items()
        for found in re.finditer(rf"(?<![a-z0-9])(?:{retired})(?![a-z0-9])", words)
    ]


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_a_docstring_opens_with_a_sentence(room: Path) -> None:
    """No docstring opens with a heading or a relative clause."""
    faults = [
        f"{each.place}: {each.text.splitlines()[0]}"
        for each in docstrings(room)
        if each.text.startswith("#") or is_clause(each.text)
    ]
    assert faults == []


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_headings_are_known_and_in_order(room: Path) -> None:
    """Every docstring has its headings in AllenNLP's order, and each at most once."""
    faults = [
        f"{each.place}: {found}"
        for each in docstrings(room)
        for found in [headings(each.text)]
        if found != [heading for heading in HEADINGS if heading in found]
    ]
    assert faults == []


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_a_description_opens_with_a_noun(room: Path) -> None:
    """No description of a parameter, a result or an error opens with a relative clause."""
    faults = [
        f"{each.place}: {description}"
        for each in docstrings(room)
        for description in descriptions(each.text)
        if is_clause(description)
    ]
    assert faults == []


@pytest.mark.parametrize("room", PACKAGE, ids=name_of)
def test_retired_words_are_gone(room: Path) -> None:
    """The package has one word per thing in its identifiers, comments and docstrings."""
    faults = [
        f"{path.relative_to(REPOSITORY)}:{line}: {fault}"
        for path in sorted(room.glob("*.py"))
        for line, text in words_of_a_module(path)
        for fault in retired_words(text)
    ]
    assert faults == []


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Returns the mask.", False),
        ("Whatever the weights, the mask is the same.", False),
        ("Where does a sentence start?", False),
        ("What spares the character CNN words.", True),
        ("How many words are drawn. Is it less than all?", True),
        ("whether the biLM is trained", True),
    ],
)
def test_a_clause_is_told_from_a_sentence(text: str, expected: bool) -> None:
    """The first word and the final mark decide."""
    assert is_clause(text) is expected


def test_descriptions_are_found() -> None:
    """Descriptions may have several lines, a blank line between them, or be left out."""
    text = """Does it.

# Parameters

first : `int`
    One
    line.

    Another.
second : `str`
**more
    The rest.

# Returns

`int`
    A number.
"""
    assert list(descriptions(text)) == ["One line. Another.", "The rest.", "A number."]
    assert headings(text) == ["Parameters", "Returns"]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("PackedMatrix", 1),
        ("is_pure", 1),
        ("It settles, and spares words.", 2),
        ("package unpack Made-up", 1),
        ("the time-major layout", 0),
    ],
)
def test_retired_words_are_found_in_identifiers_and_text(text: str, expected: int) -> None:
    """Words are found between spaces, underscores and humps, and not inside other words."""
    assert len(retired_words(text)) == expected
