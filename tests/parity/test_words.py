"""Words of every kind have AllenNLP's character ids and its vectors."""

import pytest
import torch
from allennlp.data import Token, Vocabulary
from allennlp.data.fields import TextField

from allennlp_elmo_plugin import ElmoCharactersIndexer
from tests.parity.sides import assert_close, both_sides
from tests.support.builtin import BuiltInIndexer
from tests.support.elmo_files import write_elmo_files
from tests.support.oracle import Oracle, mix_without_boundaries
from tests.support.words import TOKENS_TO_ADD, WORD_LIST, WORDS


def index(indexer, words, timesteps=None):
    """Returns the tensors of a sentence, through a text field like a dataset reader's."""
    field = TextField([Token(word) for word in words], {"elmo": indexer})
    field.index(Vocabulary())
    lengths = field.get_padding_lengths()
    if timesteps is not None:
        lengths = dict.fromkeys(lengths, timesteps)
    return field.as_tensor(lengths)["elmo"]


@pytest.mark.parametrize("tokens_to_add", [None, TOKENS_TO_ADD, {"<S>": 5, "": 6}])
@pytest.mark.parametrize("word", list(WORDS.values()), ids=list(WORDS))
def test_a_word_has_the_ids_of_the_built_in(word, tokens_to_add):
    """The indexer gives AllenNLP's ids, with and without special tokens."""
    ours = index(ElmoCharactersIndexer(tokens_to_add=tokens_to_add), [word])
    theirs = index(BuiltInIndexer(tokens_to_add=tokens_to_add), [word])
    assert list(ours) == list(theirs) == ["elmo_tokens"]
    assert ours["elmo_tokens"].dtype == theirs["elmo_tokens"].dtype
    assert torch.equal(ours["elmo_tokens"], theirs["elmo_tokens"])


@pytest.mark.parametrize("words", [[], ["a"], ["a", ""]])
@pytest.mark.parametrize("minimum", [0, 3])
def test_padding_agrees_with_the_built_in(words, minimum):
    """Ids that are padded to a batch or to a minimum have AllenNLP's shape and zeros."""
    ours = ElmoCharactersIndexer(token_min_padding_length=minimum)
    theirs = BuiltInIndexer(token_min_padding_length=minimum)
    for timesteps in (None, 4):
        left, right = (index(side, words, timesteps) for side in (ours, theirs))
        assert left["elmo_tokens"].tolist() == right["elmo_tokens"].tolist()


def test_special_tokens_agree(tmp_path):
    """Sentences with words of every kind and special tokens agree with both references."""
    files = write_elmo_files(tmp_path, seed=41)
    ours, theirs = both_sides(files, dropout=0.0)
    ids = index(ElmoCharactersIndexer(tokens_to_add=TOKENS_TO_ADD), WORD_LIST)["elmo_tokens"]
    with torch.no_grad():
        output, expected = ours(ids.unsqueeze(0)), theirs(ids.unsqueeze(0))
    assert_close(output, expected)
    oracle = Oracle(*files).batch_layers([WORD_LIST], tokens_to_add=TOKENS_TO_ADD)
    assert_close(output, mix_without_boundaries(oracle))


@pytest.mark.parametrize("word", list(WORDS.values()), ids=list(WORDS))
def test_a_word_alone_agrees(tmp_path, word):
    """A sentence of one word agrees, where no longer word can hide a lost column."""
    ours, theirs = both_sides(write_elmo_files(tmp_path, seed=42), dropout=0.0)
    ids = index(BuiltInIndexer(), [word])["elmo_tokens"].unsqueeze(0)
    with torch.no_grad():
        assert_close(ours(ids), theirs(ids))


def test_ids_that_spell_no_word_agree(tmp_path):
    """Tokens of any ids, and with zeros inside or behind, have AllenNLP's projected vectors."""
    files = write_elmo_files(tmp_path, seed=43)
    ours, theirs = both_sides(files, dropout=0.0, projection_dim=20)
    ids = torch.randint(0, 262, (2, 3, 50), generator=torch.Generator().manual_seed(44))
    ids[0, 0, 4:] = ids[0, 1, 1:] = ids[1, 2, :10] = 0
    ids[0, 0, 0] = ids[0, 1, 0] = 6
    for shape in ((2, 3, 50), (2, 1, 3, 50)):
        with torch.no_grad():
            output, expected = ours(ids.view(shape)), theirs(ids.view(shape))
        assert output.shape == (*shape[:-1], 20)
        assert_close(output, expected)
