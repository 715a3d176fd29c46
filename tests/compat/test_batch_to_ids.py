"""AllenNLP's function that spells a batch of sentences."""

from typing import List

import pytest
import torch
from allennlp.modules.elmo import batch_to_ids as builtin_batch_to_ids
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin import batch_to_ids
from tests.support.words import WORD_LIST


@pytest.mark.parametrize(
    "batch",
    [[WORD_LIST, ["a"], []], [["<S>", "</S>"]], ["MGSSH", "M"]],
    ids=["words", "boundaries", "texts"],
)
def test_a_batch_has_the_ids_of_the_built_in(batch: List[List[str]]) -> None:
    """Words of every kind, empty sentences and texts are spelled as by AllenNLP's function."""
    found, expected = batch_to_ids(batch), builtin_batch_to_ids(batch)
    assert found.dtype == expected.dtype and torch.equal(found, expected)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.text(st.characters(blacklist_categories=["Cs"])))).filter(any))
def test_any_batch_has_the_ids_of_the_built_in(batch: List[List[str]]) -> None:
    """The ids of any texts are those of AllenNLP's function."""
    assert torch.equal(batch_to_ids(batch), builtin_batch_to_ids(batch))


@pytest.mark.parametrize("batch", [[], [[]], [[], []]], ids=len)
def test_a_batch_without_tokens_has_the_shape_of_a_batch(batch: List[List[str]]) -> None:
    """A batch without a token has three dimensions, where AllenNLP's function loses the last."""
    assert batch_to_ids(batch).shape == (len(batch), 0, 50)
