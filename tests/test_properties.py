"""Properties of the embedder and its indexer for any batch of any words."""

import copy
from typing import Any, Callable, Dict, List, Optional

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Token, Vocabulary
from allennlp.data.batch import Batch
from allennlp.data.fields import TextField
from allennlp.data.instance import Instance
from allennlp.modules import TokenEmbedder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin import ElmoCharactersIndexer
from tests.support.builtin import BuiltInIndexer
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.words import TOKENS_TO_ADD, WORD_LIST

TOLERANCE = 1e-5

# Every sentence starts from zero, so the fixtures carry no state from one example to the next.
PROPERTY = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

WORDS = st.sampled_from(WORD_LIST) | st.text(st.characters(), max_size=20)
SENTENCES = st.lists(WORDS, max_size=6)
BATCHES = st.lists(SENTENCES, min_size=1, max_size=5)

IN_VOCABULARY = [*WORD_LIST[:20], "the", "of"]


def indexed(batch: List[List[str]], vocab: Optional[Vocabulary] = None, **arguments: Any) -> Any:
    """Returns a batch's tensors, which the indexer makes as for a data loader."""
    indexer = ElmoCharactersIndexer(**arguments)
    instances = Batch(
        Instance({"text": TextField([Token(word) for word in words], {"elmo": indexer})})
        for words in batch
    )
    instances.index_instances(vocab or Vocabulary())
    tensors: Any = instances.as_tensor_dict()["text"]
    return tensors["elmo"]


def embed(embedder: torch.nn.Module, batch: List[List[str]]) -> torch.Tensor:
    """Returns the vectors of a batch of words."""
    with torch.no_grad():
        return embedder(**indexed(batch))


def build(files: Any, vocab: Optional[Vocabulary] = None, **config: Any) -> torch.nn.Module:
    """Builds an embedder from a config. Sentences start from zero, and nothing is dropped out."""
    params = {
        "type": "elmo_token_embedder",
        "options_file": files.options_file,
        "weight_file": files.weight_file,
        "encoder": {"type": "bilm", "initial_state": {"type": "zero"}},
        **config,
    }
    return TokenEmbedder.from_params(Params(params), vocab=vocab).eval()


def assert_close(left: torch.Tensor, right: torch.Tensor) -> None:
    """Fails if two tensors differ in shape or by more than the tolerance."""
    assert left.shape == right.shape
    if left.numel():
        assert (left - right).abs().max().item() < TOLERANCE


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of a small biLM."""
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), elmo_options(n_highway=2), seed=91)


@pytest.fixture(scope="module")
def embedder(files):
    """Embedder of the small biLM."""
    return build(files)


@pytest.fixture(scope="module", params=[False, True], ids=["", "layer norm"])
def any_embedder(files, request):
    """Embedder of the small biLM, with and without layer norm."""
    return build(files, do_layer_norm=request.param)


@PROPERTY
@given(batch=BATCHES, more=st.integers(1, 4))
def test_more_padding_changes_nothing(any_embedder, batch, more):
    """More columns of padding change no token's vector and have vectors of zeros."""
    ids = indexed(batch)["elmo_tokens"]
    wider = torch.cat([ids, ids.new_zeros(len(batch), more, 50)], dim=1)
    with torch.no_grad():
        narrow, wide = any_embedder(ids), any_embedder(wider)
    assert_close(wide[:, : ids.size(1)], narrow)
    assert not wide[:, ids.size(1) :].any()


@PROPERTY
@given(batch=BATCHES)
def test_padding_has_vectors_of_zeros(embedder, batch):
    """Padding has vectors of exactly zero, and tokens do not."""
    output = embed(embedder, batch)
    for row, words in zip(output, batch):
        assert not row[len(words) :].any()
        assert row[: len(words)].abs().sum(dim=-1).all()


@PROPERTY
@given(data=st.data(), batch=BATCHES)
def test_the_order_of_a_batch_is_the_order_of_its_output(embedder, data, batch):
    """Rows in another order have the same vectors in the other order."""
    order = data.draw(st.permutations(range(len(batch))))
    moved = embed(embedder, [batch[row] for row in order])
    assert_close(moved, embed(embedder, batch)[order])


@PROPERTY
@given(
    batch=st.integers(1, 4).flatmap(
        lambda length: st.lists(
            st.lists(WORDS, min_size=length, max_size=length), min_size=1, max_size=4
        )
    ),
    longer=st.lists(WORDS, min_size=5, max_size=7),
)
def test_rows_without_padding_have_the_vectors_of_padded_rows(embedder, batch, longer):
    """Rows of the same length have the same vectors without padding and beside a longer row."""
    full, masked = embed(embedder, batch), embed(embedder, [longer, *batch])
    assert_close(masked[1:, : full.size(1)], full)


@PROPERTY
@given(batch=BATCHES)
def test_a_row_has_the_same_vectors_alone_and_in_a_batch(embedder, batch):
    """Each row of a batch has the vectors that it has alone."""
    together = embed(embedder, batch)
    for row, words in zip(together, batch):
        assert_close(row[: len(words)], embed(embedder, [words])[0])


@PROPERTY
@given(batch=BATCHES)
def test_a_batch_does_not_change_the_next(embedder, batch):
    """A batch that is embedded twice has the same vectors to the bit, if it starts from zero."""
    first, _, second = (embed(embedder, b) for b in (batch, [["between"]], batch))
    assert torch.equal(first, second)


@PROPERTY
@given(
    batch=BATCHES,
    with_special_tokens=st.booleans(),
    cut_at=st.integers(2, len(IN_VOCABULARY) + 2),
)
def test_the_vocabulary_cache_changes_nothing(files, embedder, batch, with_special_tokens, cut_at):
    """
    Any list of cached words gives the vectors that are computed from characters.

    This holds for words in the cache, for words in the vocabulary alone, and for other words.
    """
    vocab = Vocabulary({"words": dict.fromkeys(IN_VOCABULARY, 1)})
    words = vocab.get_index_to_token_vocabulary("words")
    cached = build(files, vocab_to_cache=[words[index] for index in range(cut_at)])
    tokens_to_add = TOKENS_TO_ADD if with_special_tokens else None
    inputs = indexed(batch, vocab, word_namespace="words", tokens_to_add=tokens_to_add)
    assert set(inputs) == {"elmo_tokens", "word_inputs"}
    with torch.no_grad():
        assert_close(cached(**inputs), embedder(inputs["elmo_tokens"]))


@PROPERTY
@given(batch=BATCHES)
def test_a_cache_of_a_whole_namespace_changes_nothing(files, embedder, batch):
    """A cache of all words of the batch gives the vectors that are computed from characters."""
    counted = {word: 1 for words in batch for word in words} or {"nothing": 1}
    vocab = Vocabulary({"words": counted})
    cached = build(files, vocab, word_cache={"type": "vocabulary", "namespace": "words"})
    inputs = indexed(batch, vocab, word_namespace="words")
    with torch.no_grad():
        assert_close(cached(**inputs), embedder(inputs["elmo_tokens"]))


ROW = [7] * 50
CHANGES: Dict[str, Callable[[List[List[int]], int, int], Any]] = {
    "set an id": lambda tokens, token, number: tokens[token].__setitem__(number, 5),
    "set a token": lambda tokens, token, number: tokens.__setitem__(token, [number, *ROW[1:]]),
    "move a token": lambda tokens, token, number: tokens.append(tokens.pop(token)),
    "copy a token": lambda tokens, token, number: tokens.append([*tokens[token]]),
    "repeat a token": lambda tokens, token, number: tokens.append(tokens[token]),
    "delete a token": lambda tokens, token, number: tokens.__delitem__(token),
    "insert a token": lambda tokens, token, number: tokens.insert(token, [number, *ROW[1:]]),
    "reverse": lambda tokens, token, number: tokens.reverse(),
    "reverse a token": lambda tokens, token, number: tokens[token].reverse(),
    "sort": lambda tokens, token, number: tokens.sort(),
}


@PROPERTY
@given(
    words=st.lists(WORDS, min_size=1, max_size=6),
    changes=st.lists(
        st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 100), st.integers(0, 49)),
        max_size=8,
    ),
    timesteps=st.integers(0, 20),
)
def test_changes_of_tokens_do_what_they_do_to_the_builtins(words, changes, timesteps):
    """
    Any changes leave tokens and tensors equal to AllenNLP's after the same changes.

    They leave another sentence of the same words as it was.
    """
    indexers = ElmoCharactersIndexer(), BuiltInIndexer()
    texts = [Token(word) for word in words]
    ours, theirs, other, unchanged = (
        indexer.tokens_to_indices(texts, Vocabulary()) for indexer in indexers * 2
    )
    for name, token, number in changes:
        for tokens in (ours["elmo_tokens"], theirs["elmo_tokens"]):
            if tokens:
                CHANGES[name](tokens, token % len(tokens), number)
    assert ours == theirs == copy.deepcopy(ours)
    assert other == unchanged
    for indexed_ours, indexed_theirs in ((ours, theirs), (other, unchanged)):
        left, right = (
            indexer.as_padded_tensor_dict(indexed, {"elmo_tokens": timesteps})["elmo_tokens"]
            for indexer, indexed in zip(indexers, (indexed_ours, indexed_theirs))
        )
        assert left.tolist() == right.tolist()
