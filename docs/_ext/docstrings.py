"""
Docstrings in AllenNLP's form as Markdown for MyST.

The headings `# Parameters`, `# Returns` and `# Raises` become short titles, and the entries below
them become definition lists. A heading inside a docstring would otherwise cut the page in two.
"""

import re
from typing import Iterator, List, Tuple

__all__ = ["summary", "to_markdown"]

HEADING = re.compile(r"# (\w[\w ]*)")
NAMED_ENTRY = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*) ?:(?: (.*))?")
LISTS = ("Parameters", "Returns", "Raises", "Yields", "Attributes")
NO_DESCRIPTION = "&nbsp;"


def summary(docstring: str) -> str:
    """Returns the first sentence of a docstring, or nothing if it opens with a heading."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    if paragraph.startswith("#"):
        return ""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", paragraph)[0]


def to_markdown(docstring: str) -> str:
    """Returns a docstring, whose indentation was removed, as Markdown."""
    blocks = []
    for title, lines in _sections(docstring.strip().splitlines()):
        if title:
            blocks.append(f"```{{rubric}} {title}\n```")
        body = "\n".join(lines).strip("\n")
        blocks.append(_definition_list(body.splitlines()) if title in LISTS else body)
    return "\n\n".join(block for block in blocks if block)


def _sections(lines: List[str]) -> Iterator[Tuple[str, List[str]]]:
    """Yields the title and the lines of each section; that of the text on top is empty."""
    title, section, in_code = "", [], False
    for line in lines:
        in_code ^= line.startswith("```")
        heading = None if in_code else HEADING.fullmatch(line)
        if heading:
            yield title, section
            title, section = heading.group(1), []
        else:
            section.append(line)
    yield title, section


def _definition_list(lines: List[str]) -> str:
    entries: List[Tuple[str, List[str]]] = []
    for line in lines:
        if line and not line.startswith(" "):
            entries.append((line, []))
        elif entries:
            entries[-1][1].append(line[4:])
    return "\n\n".join(f"{_term(term)}\n{_definition(text)}" for term, text in entries)


def _term(line: str) -> str:
    """A parameter's names as code, ahead of its type; a type alone as it is."""
    named = NAMED_ENTRY.fullmatch(line)
    if named is None:
        return line
    names = ", ".join(f"**`{name}`**" for name in named.group(1).split(", "))
    return f"{names} : {named.group(2)}" if named.group(2) else names


def _definition(lines: List[str]) -> str:
    text = "\n".join(lines).strip("\n") or NO_DESCRIPTION
    return ": " + text.replace("\n", "\n  ")
