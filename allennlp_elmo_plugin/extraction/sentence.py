"""
A sentence on its way from an input file to an output file.
"""

from typing import List, NamedTuple

__all__ = ["Sentence"]


class Sentence(NamedTuple):
    """
    A tokenized sentence and its name.

    # Parameters

    tokens : `List[str]`
        The tokens. There may be none.
    key : `str`
        Name of its vectors in the output: an id from the input, the text, or the number of the
        sentence, counted from 0.
    text : `str`
        The sentence as it stands in the input, or its tokens joined by spaces.
    """

    tokens: List[str]
    key: str
    text: str
