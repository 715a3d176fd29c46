"""
Fields of tables that are separated by tabs.
"""

from typing import Iterable

__all__ = ["tab_separated_line", "tab_separated_text"]

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def tab_separated_text(text: str) -> str:
    r"""
    Returns a text that can be a field: a tab is `\t` in it, and a backslash is two.

    # Parameters

    text : `str`
        The text.
    """
    return text.translate(ESCAPES)


def tab_separated_line(fields: Iterable[str]) -> bytes:
    r"""
    Returns a line of a table, in UTF-8. Half of a surrogate pair is written as `\ud800`.

    # Parameters

    fields : `Iterable[str]`
        The fields, without tabs and line breaks.
    """
    return ("\t".join(fields) + "\n").encode("utf-8", "backslashreplace")
