"""No function is too long to read at once, in Python or in C."""

import ast
import re
from pathlib import Path
from typing import Iterator, List, NamedTuple

import pytest

from tests.support.paths import REPOSITORY

LIMIT = 60
"""Largest number of lines of a function, without its docstring."""

PYTHON_FILES = [
    REPOSITORY / "setup.py",
    *sorted((REPOSITORY / "allennlp_elmo_plugin").rglob("*.py")),
    *sorted((REPOSITORY / "benchmarks").rglob("*.py")),
    *sorted((REPOSITORY / "reliability").rglob("*.py")),
]

C_SOURCES = REPOSITORY / "allennlp_elmo_plugin" / "kernels" / "csrc"
C_FILES = sorted(path for path in C_SOURCES.iterdir() if path.suffix in (".c", ".h", ".inc"))


class Function(NamedTuple):
    """
    A function and its length.

    # Parameters

    name : `str`
        Name in Python, or the opening line in C.
    line : `int`
        Number of the first line, from 1.
    length : `int`
        Number of lines, without the docstring.
    """

    name: str
    line: int
    length: int


def name_of(path: Path) -> str:
    """Returns the path of a file from the repository."""
    return str(path.relative_to(REPOSITORY))


def python_functions(source: str) -> Iterator[Function]:
    """Yields the functions of a Python module, each from its `def` and without its docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                assert first.end_lineno is not None
                length -= first.end_lineno - first.lineno + 1
            yield Function(node.name, node.lineno, length)


def c_functions(source: str) -> Iterator[Function]:
    """
    Yields the functions of a C file, and the macros that define functions.

    A function opens with a line at column 0 that contains a parenthesis, and closes with a brace at
    column 0. A macro ends with the first line that no backslash continues, and defines a function
    if a brace follows a parenthesis in it.
    """
    lines = source.splitlines()
    start = 0
    for number, line in enumerate(lines, 1):
        if start == 0:
            opens = line.startswith("#define") or re.match(r"[A-Za-z_][^=;]*\(", line)
            start = number if opens else 0
        if start == 0:
            continue
        opening = lines[start - 1]
        if opening.startswith("#define"):
            closes = not line.endswith("\\")
            is_function = (
                re.search(r"\)[\s\\]*\{", "\n".join(lines[start - 1 : number])) is not None
            )
        else:
            # A prototype, a call of a macro or a function in one line ends where it opens.
            is_function = line.endswith("}") if number == start else line.startswith("}")
            closes = is_function or line.endswith(";") and not is_body(lines[start - 1 : number])
            closes = closes or (number == start and line.endswith(")") and is_call(lines, number))
        if closes:
            if is_function:
                yield Function(opening, start, number - start + 1)
            start = 0


def is_body(lines: List[str]) -> bool:
    """Returns `True` if the lines of a function reach into its body."""
    return any("{" in line for line in lines)


def is_call(lines: List[str], number: int) -> bool:
    """Returns `True` if the body of a function does not follow the line of this number."""
    return number == len(lines) or not lines[number].startswith("{")


def too_long(functions: Iterator[Function]) -> List[str]:
    """Returns a line for each function with more lines than allowed."""
    return [
        f"{each.line}: {each.name} has {each.length} lines"
        for each in functions
        if each.length > LIMIT
    ]


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name_of)
def test_python_functions_are_short(path: Path) -> None:
    """No Python function has more than 60 lines without its docstring."""
    assert too_long(python_functions(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", C_FILES, ids=name_of)
def test_c_functions_are_short(path: Path) -> None:
    """No C function, and no macro that defines one, has more than 60 lines."""
    assert too_long(c_functions(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("extra", [0, 1])
def test_long_python_functions_are_found(extra: int) -> None:
    """The docstring, the decorators and the lines around a function do not count."""
    body = "    x = 1\n" * (LIMIT - 1 + extra)
    source = f'y = 1\n@decorated\ndef f():\n    """One.\n\n    Two.\n    """\n{body}\n\nz = 1\n'
    expected = [f"3: f has {LIMIT + 1} lines"] if extra else []
    assert too_long(python_functions(source)) == expected


C_OPENINGS = {
    "one line": "static int f(int x) {",
    "brace on a line of its own": "static int f(int x)\n{",
    "several lines": "static int f(int x,\n             int y)\n{",
}


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("opening", list(C_OPENINGS.values()), ids=list(C_OPENINGS))
def test_long_c_functions_are_found(opening: str, extra: int) -> None:
    """Prototypes, calls of macros, structures and short functions are told from long functions."""
    num_lines = LIMIT - 1 - opening.count("\n") - 1 + extra
    body = "    x = x + 1;\n" * num_lines
    before = "int g(int x);\nMACRO(x)\nint h(void) { return 1; }\nstruct s {\n    int x;\n};\n"
    source = f"{before}{opening}\n{body}}}\nint g(int x,\n      int y);\n"
    expected = [f"7: {opening.splitlines()[0]} has {LIMIT + 1} lines"] if extra else []
    assert too_long(c_functions(source)) == expected


@pytest.mark.parametrize("extra", [0, 1])
def test_long_macros_are_found(extra: int) -> None:
    """Only macros that define functions count, with all of their lines."""
    body = "        x = x + 1; \\\n" * (LIMIT - 2 + extra)
    source = f"#define N 3\n#define F(name) \\\n    int name(int x) {{ \\\n{body}    }}\n"
    # The define, the opening of the function, the body and the closing brace.
    assert [each.length for each in c_functions(source)] == [LIMIT + 1 + extra]
    assert len(too_long(c_functions(source))) == 1
