"""
A sentence as a parser finds it, before it has a key.
"""

from typing import List, NamedTuple, Optional

__all__ = ["Record"]


class Record(NamedTuple):
    """
    A sentence of an input file.

    # Parameters

    tokens : `List[str]`
        The tokens. There may be none.
    text : `str`
        The sentence as it stands in the file, or its tokens joined by spaces.
    line : `int`
        Number of its first line, from 1, for errors.
    id : `Optional[str]`
        The sentence's own id. `None` if it has none.
    """

    tokens: List[str]
    text: str
    line: int
    id: Optional[str] = None
