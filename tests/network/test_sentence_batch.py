"""A batch of sentences on its way into the biLM, against a construction row by row."""

from typing import Any, List, Optional, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin.network.sentence_batch import (
    BEGIN_OF_SENTENCE_ID,
    END_OF_SENTENCE_ID,
    SentenceBatch,
)
from allennlp_elmo_plugin.network.spelling import Dictionary, DictionarySpelling
from tests.support import many_langs_files
from tests.support.sentences import spell, spell_words, word_ids
from tests.support.words import WORD_LIST

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True, database=None)
WORDS = st.sampled_from([*WORD_LIST[:8], "<S>", "</S>"])
BATCHES = st.lists(st.lists(WORDS, max_size=5), min_size=1, max_size=5)
NAMESPACE = ["@@PADDING@@", "@@UNKNOWN@@", *WORD_LIST[:5]]

Token = Tuple[str, int]


def _batch(
    sentences: List[List[str]], more: int = 0, with_word_ids: bool = False, adds: bool = True
) -> SentenceBatch:
    """Makes a batch with columns of padding at its end."""
    padding = (0, more)
    ids = torch.nn.functional.pad(spell(*sentences), (0, 0, *padding))
    words = torch.nn.functional.pad(word_ids(NAMESPACE, *sentences), padding)
    return SentenceBatch.from_padded(ids, 50, words if with_word_ids else None, adds)


def _rows(sentences: List[List[str]], adds: bool) -> List[List[Token]]:
    """Lists each row's tokens as they are run, with their word ids."""
    rows = []
    for sentence in sentences:
        ids = word_ids(NAMESPACE, sentence)[0].tolist()
        row = list(zip(sentence, ids))
        begin, end = ("<S>", BEGIN_OF_SENTENCE_ID), ("</S>", END_OF_SENTENCE_ID)
        rows.append([begin, *row, end] if adds else row)
    return rows


def _time_major(rows: List[List[Token]]) -> List[Token]:
    """Puts the tokens of rows into time-major order."""
    longest_first = sorted(rows, key=lambda row: -len(row))
    steps = range(max(map(len, rows), default=0))
    return [row[step] for step in steps for row in longest_first if step < len(row)]


@PROPERTY
@given(sentences=BATCHES, more=st.integers(0, 3), adds=st.booleans())
def test_lengths_and_mask_count_the_tokens(
    sentences: List[List[str]], more: int, adds: bool
) -> None:
    """Each row has as many tokens as its sentence, two more with added boundaries."""
    batch, extra = _batch(sentences, more, adds=adds), 2 if adds else 0
    lengths = [len(sentence) + extra for sentence in sentences]
    timesteps = max(map(len, sentences)) + more + extra
    assert len(batch) == len(sentences)
    assert batch.num_tokens == [len(sentence) for sentence in sentences]
    assert batch.lengths == batch.ends.tolist() == lengths
    assert batch.timesteps == timesteps
    assert batch.mask.dtype == torch.bool
    assert batch.mask.tolist() == [[step < end for step in range(timesteps)] for end in lengths]
    assert batch.layout.padded_shape == (len(sentences), timesteps)


@PROPERTY
@given(sentences=BATCHES, more=st.integers(0, 3), adds=st.booleans())
def test_tokens_are_time_major(sentences: List[List[str]], more: int, adds: bool) -> None:
    """Character ids are those of the rows' tokens, boundaries included, in time-major order."""
    expected = _time_major(_rows(sentences, adds))
    found = _batch(sentences, more, adds=adds).time_major_character_ids()
    assert found.dtype == torch.int64
    assert torch.equal(found, spell_words([word for word, _ in expected]))


@PROPERTY
@given(sentences=BATCHES, more=st.integers(0, 3), adds=st.booleans(), with_ids=st.booleans())
def test_distinct_words_are_those_of_the_tokens(
    sentences: List[List[str]], more: int, adds: bool, with_ids: bool
) -> None:
    """The words of all tokens are found with their ids, and boundaries have ids of their own."""
    tokens = _time_major(_rows(sentences, adds))
    words = _batch(sentences, more, with_ids, adds).distinct_words()
    expected = spell_words([word for word, _ in tokens])
    assert torch.equal(words.character_ids[words.word_of_token], expected)
    if with_ids:
        assert words.word_ids is not None
        assert words.word_ids[words.word_of_token].tolist() == [word_id for _, word_id in tokens]
    else:
        assert words.word_ids is None
    # Words are cut after 48 bytes, so two of them may be spelled alike.
    spelled = [(*row.tolist(), word_id * with_ids) for row, (_, word_id) in zip(expected, tokens)]
    assert len(words.character_ids) == len(set(spelled))


@PROPERTY
@given(sentences=BATCHES, with_ids=st.booleans(), adds=st.booleans(), data=st.data())
def test_selected_rows_are_a_batch_of_them(
    sentences: List[List[str]], with_ids: bool, adds: bool, data: st.DataObject
) -> None:
    """Rows that are selected, in any order and more than once, are run as in a new batch."""
    rows = data.draw(st.lists(st.integers(0, len(sentences) - 1), max_size=5))
    whole = _batch(sentences, 1, with_ids, adds)
    selected = whole.select(rows)
    tokens = _time_major(_rows([sentences[row] for row in rows], adds))
    assert selected.num_tokens == [len(sentences[row]) for row in rows]
    assert (selected.timesteps, selected.adds_boundaries) == (whole.timesteps, adds)
    expected = spell_words([word for word, _ in tokens])
    assert torch.equal(selected.time_major_character_ids(), expected)
    assert torch.equal(selected.mask, whole.mask[rows])
    if with_ids:
        found = selected.distinct_words()
        assert found.word_ids is not None
        assert found.word_ids[found.word_of_token].tolist() == [word_id for _, word_id in tokens]


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("shape", [(0, 3, 50), (2, 0, 50), (0, 0, 50)])
def test_nothing_is_a_batch(shape: Tuple[int, int, int], adds: bool) -> None:
    """A batch without rows or tokens has the boundaries of its rows, if any."""
    ids = torch.zeros(shape, dtype=torch.long)
    batch = SentenceBatch.from_padded(ids, 50, ids[..., 0], adds)
    extra = 2 if adds else 0
    assert batch.lengths == [extra] * shape[0]
    assert batch.mask.shape == (shape[0], shape[1] + extra)
    assert batch.time_major_character_ids().shape == (extra * shape[0], 50)
    assert len(batch.distinct_words().character_ids) == (extra if shape[0] else 0)


@pytest.mark.parametrize("width", [3, 20])
def test_boundaries_are_as_wide_as_the_tokens(width: int) -> None:
    """Added boundaries are spelled in the width of the biLM."""
    batch = SentenceBatch.from_padded(spell("cat", width=width), width)
    expected = spell_words(["<S>", "cat", "</S>"], width)
    assert torch.equal(batch.time_major_character_ids(), expected)


def test_ids_may_be_of_32_bits() -> None:
    """Character ids of int32 are read like those of int64."""
    batch = SentenceBatch.from_padded(spell("the cat", "sat").int(), 50)
    expected = _batch([["the", "cat"], ["sat"]]).time_major_character_ids()
    assert torch.equal(batch.time_major_character_ids().long(), expected)


IDS = spell("the cat sat", "dog")
HOLE = IDS * torch.tensor([1, 0, 1]).view(1, 3, 1)


@pytest.mark.parametrize(
    "ids, expected",
    [
        (IDS[0], r"shape \(batch, timesteps, characters\), got shape \(3, 50\)"),
        (IDS[..., :49], "Expected 50 character ids per token.*got 49.*'max_characters_per_token'"),
        (IDS.float(), "character ids of type torch.int64, got torch.float32"),
        (IDS.bool(), "character ids of type torch.int64, got torch.bool"),
        (torch.full((1, 2, 50), 262), "from 0 to 261, got ids from 262 to 262"),
        (torch.full((1, 2, 50), -1), "from 0 to 261, got ids from -1 to -1"),
        (IDS + (IDS > 0) * 2**32, "from 0 to 261"),
        (HOLE, "follows a position without one"),
        (torch.cat([IDS, HOLE]), "follows a position without one"),
    ],
    ids=["rank", "width", "float", "bool", "high", "low", "2**32", "hole", "one of four"],
)
@pytest.mark.parametrize("adds", [False, True])
def test_wrong_character_ids_are_refused(adds: bool, ids: torch.Tensor, expected: str) -> None:
    """Each error says what was expected and what was there."""
    with pytest.raises(ConfigurationError, match=expected):
        SentenceBatch.from_padded(ids, 50, adds_boundaries=adds)


@pytest.mark.parametrize(
    "words, expected",
    [
        (torch.tensor([[2, 3, 4]]), r"'word_inputs' of shape \(2, 3\).*got shape \(1, 3\)"),
        (torch.tensor([2, 3]), r"'word_inputs' of shape \(2, 3\).*got shape \(2,\)"),
        (torch.ones(2, 3), "word ids of type torch.int64, got torch.float32"),
        (torch.tensor([[2, 3, 0], [5, 0, 0]]), "1 positions differ"),
        (torch.tensor([[2, 3, 4], [5, 0, 1]]), "1 positions differ"),
        (torch.tensor([[2, -3, 4], [-5, 0, 0]]), "2 positions differ"),
    ],
    ids=["rows", "rank", "float", "less", "more", "negative"],
)
def test_wrong_word_ids_are_refused(words: torch.Tensor, expected: str) -> None:
    """Word ids have to fit the character ids position by position."""
    with pytest.raises(ConfigurationError, match=expected):
        SentenceBatch.from_padded(IDS, 50, words)


@pytest.mark.parametrize("words", [None, torch.tensor([[2, 3, 4], [5, 0, 0]])])
def test_the_callers_tensors_stay_as_they_are(words: Optional[torch.Tensor]) -> None:
    """A batch writes into none of the tensors that it was made from."""
    tensors: List[Any] = [IDS.clone(), None if words is None else words.clone()]
    batch = SentenceBatch.from_padded(tensors[0], 50, tensors[1])
    batch.distinct_words().character_ids.zero_()
    batch.time_major_character_ids().zero_()
    assert torch.equal(tensors[0], IDS)
    assert words is None or torch.equal(tensors[1], words)


SPELLING = DictionarySpelling(
    Dictionary("\n".join(many_langs_files.WORDS), "\n".join(many_langs_files.CHARACTERS)), 12
)


def _spelled(*sentences: List[str]) -> torch.Tensor:
    return SPELLING.spell_sentences(sentences)


def test_boundaries_are_spelled_as_the_words_are() -> None:
    """A batch of a dictionary's ids has the boundaries of that dictionary."""
    batch = SentenceBatch.from_padded(_spelled(["the", "rain"], ["the"]), SPELLING)
    begin, end = map(torch.tensor, SPELLING.boundaries)
    found = batch.time_major_character_ids()
    assert torch.equal(found[0], begin) and torch.equal(found[-1], end)
    assert torch.equal(found[2], _spelled(["the"])[0, 0])
    assert torch.equal(batch.select([1]).time_major_character_ids()[-1], end)


@pytest.mark.parametrize(
    "column, value, expected",
    [
        (0, 11, "Expected word ids from 0 to 10, got ids from 0 to 11"),
        (0, -1, "Expected word ids from 0 to 10, got ids from -1"),
        (1, 32, "Expected character ids from 0 to 31, got ids from 0 to 32"),
    ],
)
def test_ids_that_a_dictionary_lacks_are_refused(column: int, value: int, expected: str) -> None:
    """The ids of words and those of characters have limits of their own."""
    ids = _spelled(["the", "rain"], ["the"])
    ids[0, 0, column] = value
    with pytest.raises(ConfigurationError, match=expected):
        SentenceBatch.from_padded(ids, SPELLING)


def test_another_spelling_is_refused() -> None:
    """The error says how the indexer is told to spell by the dictionary."""
    expected = "1 word ids and 12 character ids per token, got 50.*the same 'options_file'"
    with pytest.raises(ConfigurationError, match=expected):
        SentenceBatch.from_padded(IDS, SPELLING)
