"""
Settings that all sections of a run share.
"""

from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from benchmarks.sentences import Sentence
from benchmarks.sides import ALLENNLP

__all__ = ["Settings"]


class Settings(NamedTuple):
    """
    Models, sentences and workload of a run.

    # Parameters

    models : `Dict[str, Path]`
        Folder of each shape's files by the shape's name; the smallest shape comes first.
    sentences : `List[Sentence]`
        Sentences to embed.
    precisions : `Tuple[str, ...]`
        Precisions of the plugin.
    batch_sizes : `Tuple[int, ...]`
        Numbers of sentences per batch, in ascending order.
    document_lengths : `Tuple[int, ...]`
        Numbers of tokens of the plugin's documents, in ascending order.
    allennlp_document_lengths : `Tuple[int, ...]`
        Numbers of tokens of the documents of AllenNLP's class, in ascending order.
    rounds : `int`
        Number of times that each task is timed.
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
        """Names of AllenNLP's class and of the plugin's in each precision."""
        return (ALLENNLP, *self.precisions)

    @property
    def smallest(self) -> str:
        """Name of the smallest shape, the only one in sections that take long."""
        return next(iter(self.models))

    @property
    def largest(self) -> str:
        """Name of the largest shape, the only one in most sections."""
        return list(self.models)[-1]
