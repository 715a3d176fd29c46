"""The two sides of a parity test: AllenNLP's embedder and the plugin's, from the same files."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy
import torch
from allennlp.modules.elmo import batch_to_ids
from allennlp.modules.token_embedders.elmo_token_embedder import (
    ElmoTokenEmbedder as BuiltInEmbedder,
)

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.support.elmo_files import ElmoFiles

__all__ = [
    "CACHED_WORDS",
    "TOLERANCE",
    "assert_close",
    "both_sides",
    "character_batch",
    "word_batch",
]

TOLERANCE = 1e-5

# Index 0 is the padding entry of a vocabulary.
CACHED_WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "the", "house", "<S>", "", "na\u00efve", "\u6c49"]


def assert_close(ours: Any, theirs: Any, tolerance: float = TOLERANCE) -> None:
    """Fails with the largest difference where two arrays or tensors differ."""
    left, right = (
        side.detach().numpy() if isinstance(side, torch.Tensor) else numpy.asarray(side)
        for side in (ours, theirs)
    )
    assert left.shape == right.shape
    assert numpy.isfinite(left).all()
    if left.size:
        largest = float(numpy.abs(left - right).max())
        assert largest < tolerance, f"largest difference {largest:.3g}, allowed {tolerance:.3g}"


def both_sides(
    files: ElmoFiles, training: bool = False, **arguments: Any
) -> Tuple[torch.nn.Module, BuiltInEmbedder]:
    """The plugin's embedder and AllenNLP's, with one random projection, if there is one."""
    torch.manual_seed(0)
    theirs = BuiltInEmbedder(*files, **arguments)
    ours = ElmoTokenEmbedder(*files, **arguments)
    projection = {
        name: value for name, value in theirs.state_dict().items() if name.startswith("_projection")
    }
    assert not ours.load_state_dict(projection, strict=False).unexpected_keys
    return ours.train(training), theirs.train(training)


def character_batch(sentences: Sequence[Sequence[str]]) -> torch.Tensor:
    """The character ids of a batch; AllenNLP's function fails where every sentence is empty."""
    if not any(sentences):
        return torch.zeros(len(sentences), 0, 50, dtype=torch.long)
    return batch_to_ids([list(words) for words in sentences])


def word_batch(
    sentences: Sequence[Sequence[str]], cached: Optional[List[str]] = None
) -> torch.Tensor:
    """The indices of a batch's words in a cache that has them all, 0 where there is no word."""
    index: Dict[str, int] = {word: i for i, word in enumerate(cached or CACHED_WORDS)}
    ids = torch.zeros(len(sentences), max(map(len, sentences)), dtype=torch.long)
    for row, words in enumerate(sentences):
        for column, word in enumerate(words):
            ids[row, column] = index[word]
    return ids
