"""Threads that share an embedder get the vectors that one thread gets."""

import copy
import random
from typing import Any, Callable, Dict, List, Optional

import pytest
import torch

from allennlp_elmo_plugin import BilmEncoder, ElmoTokenEmbedder, LruWordCache
from allennlp_elmo_plugin.embedder.word_cache import lru
from allennlp_elmo_plugin.kernels import PRECISIONS, available_kernels, use_kernels
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell, word_ids
from tests.support.threads import NUM_THREADS, in_threads

WORDS = ["", "@@UNKNOWN@@", *(a + b for a in "abcdefghij" for b in "klmnop")]
CALLS = 5

WORD_CACHES: Dict[str, Dict[str, Any]] = {
    "lru": {"type": "lru"},
    "small lru": {"type": "lru", "capacity": 7},
    "vocabulary": {"type": "vocabulary", "words": WORDS[:40]},
    "none": {"type": "none"},
}

# Kernels compute a row in the same way in every batch; PyTorch's products depend on its size.
TOLERANCE = 1e-5


@pytest.fixture(autouse=True)
def _growing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the memory of an `lru` cache grow several times."""
    monkeypatch.setattr(lru, "FIRST_ROWS", 4)


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    options = elmo_options(filters=((1, 16), (2, 16)), cell_size=32, projection_dim=16)
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), options)


def batches(seed: int) -> List[List[List[str]]]:
    """Returns batches of random sentences of known words, of few shapes."""
    rng = random.Random(seed)
    return [
        [rng.choices(WORDS[2:], k=rng.randint(1, 6)) for _ in range(rng.randint(1, 3))]
        for _ in range(CALLS)
    ]


def embed(module: ElmoTokenEmbedder, sentences: List[List[str]]) -> torch.Tensor:
    """Returns the vectors of a batch, without gradients."""
    assert isinstance(module.encoder, BilmEncoder)
    reads_ids = module.encoder.word_cache.reads_word_ids
    ids = word_ids(WORDS[:40], *sentences) if reads_ids else None
    with torch.no_grad():
        return module(spell(*sentences), ids)


def assert_as_in_one_thread(
    module: ElmoTokenEmbedder, one_thread: ElmoTokenEmbedder, kernels: Optional[str] = None
) -> None:
    """Compares the vectors of eight threads, and those of one thread afterwards, with expected."""
    name = kernels or available_kernels()[0]
    work = [batches(seed) for seed in range(NUM_THREADS)]
    with use_kernels(name):
        expected = [[embed(one_thread, batch) for batch in its] for its in work]

    def embed_all(thread: int) -> List[torch.Tensor]:
        with use_kernels(name):
            return [embed(module, batch) for batch in work[thread]]

    found = in_threads(embed_all)
    # The caches that the threads filled give the same vectors afterwards.
    found += [embed_all(thread) for thread in range(NUM_THREADS)]
    for vectors, its in zip(found, expected * 2):
        for a, b in zip(vectors, its):
            assert torch.allclose(a, b, rtol=0.0, atol=TOLERANCE if name == "plain" else 0.0)


@pytest.mark.parametrize("initial_state", ["zero", "warm"])
@pytest.mark.parametrize("word_cache", list(WORD_CACHES))
def test_every_cache_is_right_in_threads(
    files: ElmoFiles, word_cache: str, initial_state: str
) -> None:
    """Eight threads that make the first calls at once get the vectors of one thread."""
    module, one_thread = (
        embedder(
            files,
            word_cache=WORD_CACHES[word_cache],
            encoder={"initial_state": {"type": initial_state}},
        )
        for _ in range(2)
    )
    assert_as_in_one_thread(module, one_thread)


@pytest.mark.parametrize("kernels", dict.fromkeys([available_kernels()[0], "plain"]))
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_is_right_in_threads(
    files: ElmoFiles, precision: str, kernels: str
) -> None:
    """The matrices that are tiled at the first call are right for all threads."""
    encoder = {"initial_state": {"type": "zero"}, "precision": precision}
    module, one_thread = (
        embedder(files, word_cache=WORD_CACHES["small lru"], encoder=encoder) for _ in range(2)
    )
    assert_as_in_one_thread(module, one_thread, kernels)


def test_hits_and_misses_add_up(files: ElmoFiles) -> None:
    """Each word of each call is counted once, and no word of the cache has two rows."""
    cache = LruWordCache()
    module = embedder(files, word_cache=cache, encoder={"initial_state": {"type": "zero"}})
    work = [batches(seed) for seed in range(NUM_THREADS)]
    in_threads(lambda thread: [embed(module, batch) for batch in work[thread]])
    words = [{word for row in batch for word in row} for its in work for batch in its]
    assert cache.hits + cache.misses == sum(len(distinct) + 2 for distinct in words)
    num_bytes, misses = cache.num_bytes, cache.misses
    for its in work:
        for batch in its:
            embed(module, batch)
    assert (cache.num_bytes, cache.misses) == (num_bytes, misses)


def change_in_place(module: torch.nn.Module) -> None:
    """Changes every weight, as an optimizer does."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.9)


def load_weights(module: torch.nn.Module) -> None:
    """Loads a state dict with other weights."""
    module.load_state_dict({name: 0.9 * each for name, each in module.state_dict().items()})


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("initial_state", ["zero", "warm"])
@pytest.mark.parametrize("change", [change_in_place, load_weights])
def test_nothing_old_stays_after_a_change_of_weights(
    files: ElmoFiles,
    change: Callable[[torch.nn.Module], None],
    initial_state: str,
    precision: str,
) -> None:
    """Weights change while seven threads read them; then all vectors are those of the new ones."""
    encoder = {"initial_state": {"type": initial_state}, "precision": precision}
    module = embedder(files, word_cache={"type": "lru", "capacity": 7}, encoder=encoder)
    work = batches(0)[:4]
    for _ in range(3):
        in_threads(
            lambda thread: [embed(module, batch) for batch in work] if thread else change(module)
        )
        fresh = copy.deepcopy(module)
        for batch in work:
            assert torch.equal(embed(module, batch), embed(fresh, batch))


def test_other_threads_may_switch_between_training_and_evaluation(files: ElmoFiles) -> None:
    """The mode of a module without dropout changes no vector."""
    module = embedder(files, encoder={"initial_state": {"type": "zero"}})
    work = batches(0)
    expected = [embed(module, batch) for batch in work]

    def embed_or_switch(thread: int) -> List[torch.Tensor]:
        if thread:
            return [embed(module, batch) for batch in work]
        for number in range(50):
            module.train(number % 2 == 0)
        return expected

    for found in in_threads(embed_or_switch):
        assert all(torch.equal(a, b) for a, b in zip(found, expected))


def test_gradients_in_one_thread_leave_others_right(files: ElmoFiles) -> None:
    """A thread that wants gradients of the biLM empties caches that others read."""
    module = embedder(files, encoder={"initial_state": {"type": "zero"}})
    work = batches(0)
    expected = [embed(module, batch) for batch in work]

    def embed_or_train(thread: int) -> List[torch.Tensor]:
        if thread:
            return [embed(module, batch) for batch in work]
        for batch in work:
            module.requires_grad_()
            module(spell(*batch)).sum().backward()
            module.requires_grad_(False)
        return expected

    for found in in_threads(embed_or_train):
        assert all(torch.allclose(a, b, atol=TOLERANCE) for a, b in zip(found, expected))


def test_copies_may_be_made_meanwhile(files: ElmoFiles) -> None:
    """A deep copy of an embedder that other threads use gives the same vectors."""
    module = embedder(files, encoder={"initial_state": {"type": "warm"}})
    work = batches(0)

    def embed_or_copy(thread: int) -> List[torch.Tensor]:
        used = module if thread else copy.deepcopy(module)
        return [embed(used, batch) for batch in work]

    first, *others = in_threads(embed_or_copy)
    for found in others:
        assert all(torch.equal(a, b) for a, b in zip(found, first))
