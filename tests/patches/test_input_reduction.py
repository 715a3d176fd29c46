"""Input reduction keeps the last token of a sentence."""

from typing import Any, List

import numpy
import pytest
from allennlp.data import Instance, Token
from allennlp.data.fields import SequenceLabelField, TextField
from allennlp.interpret.attackers import input_reduction

from allennlp_elmo_plugin.patches import patch_input_reduction


def remaining(words: List[str]) -> List[List[str]]:
    """Returns the words that are left in each candidate, all tokens being tagged `O`."""
    text = TextField([Token(word) for word in words])
    instance = Instance({"tokens": text, "tags": SequenceLabelField(["O"] * len(words), text)})
    gradients = numpy.arange(1.0, 1.0 + len(words)).reshape(-1, 1)
    mask = [0] * len(words)
    candidates: Any = input_reduction._remove_one_token(instance, "tokens", gradients, [], 2, mask)
    return [[str(token) for token in reduced["tokens"]] for reduced, *_ in candidates]


@pytest.mark.parametrize(
    "words, expected",
    [(["it", "rains", "."], [["rains", "."], ["it", "."]]), (["it"], [])],
)
def test_one_token_is_kept(words: List[str], expected: List[List[str]]) -> None:
    """A sentence of one token has no candidates, and others have AllenNLP's."""
    assert remaining(words) == expected


def test_patching_twice_changes_nothing() -> None:
    """A second call leaves the function that the first one put there."""
    function = input_reduction._remove_one_token
    patch_input_reduction()
    assert input_reduction._remove_one_token is function
