"""Two sides of a parity test: AllenNLP's embedder and the plugin's, from the same files."""

from typing import Any, Tuple

import numpy
import torch

from allennlp_elmo_plugin import ElmoTokenEmbedder
from tests.support.builtin import BuiltInEmbedder
from tests.support.elmo_files import ElmoFiles

__all__ = ["CACHED_WORDS", "TOLERANCE", "assert_close", "both_sides"]

TOLERANCE = 1e-5

# Id 0 of a vocabulary is the padding token.
CACHED_WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "the", "house", "<S>", "", "na\u00efve", "\u6c49"]


def assert_close(ours: Any, theirs: Any, tolerance: float = TOLERANCE) -> None:
    """Fails with the largest difference if two arrays or tensors differ."""
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
    """Returns the plugin's embedder and AllenNLP's, with the same random projection if any."""
    torch.manual_seed(0)
    theirs = BuiltInEmbedder(*files, **arguments)
    ours = ElmoTokenEmbedder(*files, **arguments)
    projection = {
        name: value for name, value in theirs.state_dict().items() if name.startswith("_projection")
    }
    assert not ours.load_state_dict(projection, strict=False).unexpected_keys
    return ours.train(training), theirs.train(training)
