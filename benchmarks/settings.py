"""
What all sections of a run share.
"""

from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from benchmarks.sentences import Sentence
from benchmarks.sides import ALLENNLP

__all__ = ["Settings"]


class Settings(NamedTuple):
    """
    # Parameters

    models : `Dict[str, Path]`
        From the name of each shape, the smallest first, to the folder with its files.
    sentences : `List[Sentence]`
        What is embedded.
    precisions : `Tuple[str, ...]`
        The plugin's precisions.
    batch_sizes : `Tuple[int, ...]`
        In sentences, the smallest first.
    document_lengths : `Tuple[int, ...]`
        In tokens, the shortest first, for the plugin.
    allennlp_document_lengths : `Tuple[int, ...]`
        The same for AllenNLP's class.
    rounds : `int`
        How often each side is timed.
    """

    models: Dict[str, Path]
    sentences: List[Sentence]
    precisions: Tuple[str, ...]
    batch_sizes: Tuple[int, ...]
    document_lengths: Tuple[int, ...]
    allennlp_document_lengths: Tuple[int, ...]
    rounds: int

    @property
    def sides(self) -> Tuple[str, ...]:
        """AllenNLP's class, and the plugin's in each precision."""
        return (ALLENNLP, *self.precisions)

    @property
    def smallest(self) -> str:
        """The name of the smallest shape, which sections that take long measure alone."""
        return next(iter(self.models))

    @property
    def largest(self) -> str:
        """The name of the largest shape, which the sections after the first measure alone."""
        return list(self.models)[-1]
