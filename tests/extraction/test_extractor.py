"""The engine that turns sentences into vectors, beside an oracle in NumPy."""

import logging
import threading
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import (
    BilmEncoder,
    CarryState,
    EncodedSentences,
    FixedScalarMix,
    InitialState,
    SentenceBatch,
    WarmState,
    ZeroState,
)
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.kernels import dispatch
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.oracle import Oracle, carry_states

SENTENCES = [
    ["The", "rain", "falls", "."],
    ["a"],
    [],
    ["caf\u00e9", "\u96e8", "<S>", "over-" * 12, "", "two words"],
    ["rain"] * 9,
    "MKV",
]


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    options = elmo_options(filters=[(1, 4), (2, 12)], n_layers=3, projection_dim=16, cell_size=32)
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), options, seed=3)


def _encoder(files: ElmoFiles, state: Optional[InitialState] = None) -> BilmEncoder:
    return BilmEncoder.from_files(*files, initial_state=state or ZeroState())


@pytest.fixture(name="expected", scope="module")
def _expected(files: ElmoFiles) -> List[numpy.ndarray]:
    """All layers of each sentence and its boundaries from a state of zeros."""
    oracle = Oracle(*files)
    batches = [oracle.batch_layers([list(sentence)]) for sentence in SENTENCES]
    return [batch.layers[:, 0] for batch in batches]


def _assert_close(found: Sequence[numpy.ndarray], expected: Sequence[numpy.ndarray]) -> None:
    assert [array.shape for array in found] == [array.shape for array in expected]
    assert all(array.dtype == numpy.float32 for array in found)
    differences = [abs(one - other).max() for one, other in zip(found, expected) if one.size]
    assert max(differences) < 1e-5


@pytest.mark.parametrize("max_tokens", [1, 20, 2048])
def test_all_layers_are_those_of_the_oracle(
    files: ElmoFiles, expected: List[numpy.ndarray], max_tokens: int
) -> None:
    """A sentence has (layers, tokens, dim), also if it is empty, a string or alone in its batch."""
    extractor = ElmoExtractor(_encoder(files), max_tokens=max_tokens)
    _assert_close(extractor.embed(SENTENCES), [layers[:, 1:-1] for layers in expected])
    assert (extractor.num_layers, extractor.dim, extractor.num_vectors(3)) == (4, 32, 3)


def test_boundaries_can_stay(files: ElmoFiles, expected: List[numpy.ndarray]) -> None:
    """The vectors of <S> and </S> stand around those of the tokens."""
    extractor = ElmoExtractor(_encoder(files), keep_sentence_boundaries=True)
    _assert_close(extractor.embed(SENTENCES), expected)
    assert extractor.num_vectors(3) == 5


@pytest.mark.parametrize(
    "layers, weights",
    [
        ("top", [0, 0, 0, 1]),
        ("average", [0.25] * 4),
        (0, [1, 0, 0, 0]),
        (2, [0, 0, 1, 0]),
        (FixedScalarMix(normalized=[0.5, 0.0, 0.25, 0.25]), [0.5, 0.0, 0.25, 0.25]),
    ],
    ids=["top", "average", "token layer", "one layer", "mix"],
)
def test_a_choice_of_layers_leaves_out_their_dimension(
    files: ElmoFiles, expected: List[numpy.ndarray], layers: Any, weights: List[float]
) -> None:
    """One layer or a mix of them has (tokens, dim)."""
    extractor = ElmoExtractor(_encoder(files), layers)
    mixed = [numpy.tensordot(weights, each[:, 1:-1], 1) for each in expected]
    _assert_close(extractor.embed(SENTENCES), mixed)
    assert extractor.num_layers is None


@pytest.mark.parametrize("layers", ["all", "top"])
def test_a_mean_leaves_out_the_tokens(
    files: ElmoFiles, expected: List[numpy.ndarray], layers: str
) -> None:
    """Padding and boundaries do not count, and a sentence without tokens has zeros."""
    extractor = ElmoExtractor(_encoder(files), layers, pool="mean")
    means = [
        each[:, 1:-1].mean(axis=1) if each.shape[1] > 2 else numpy.zeros((4, 32))
        for each in expected
    ]
    _assert_close(extractor.embed(SENTENCES), [m if layers == "all" else m[-1] for m in means])
    assert extractor.is_pooled and extractor.num_vectors(3) == 1


@pytest.mark.skipif(not dispatch.CAPABILITIES, reason="bits are the kernels' promise")
@pytest.mark.parametrize("layers", ["all", "top", "average"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_no_bit_depends_on_the_batch(files: ElmoFiles, layers: str, precision: str) -> None:
    """A sentence has the same vectors alone, in small batches and in large ones."""
    encoder = BilmEncoder.from_files(*files, initial_state=WarmState(), precision=precision)
    sentences = [*SENTENCES, *([["the", "rain", "x" * n] * n for n in range(20)])]
    large = ElmoExtractor(encoder, layers).embed(sentences)
    for max_tokens in (1, 30, 100):
        small = ElmoExtractor(encoder, layers, max_tokens=max_tokens).embed(sentences)
        assert all(map(numpy.array_equal, large, small))


def test_a_state_is_carried_in_the_order_of_the_sentences(files: ElmoFiles) -> None:
    """Batches hold `batch_size` sentences, and each row goes on from that of the batch before."""
    oracle, states, expected = Oracle(*files), [], []
    for batch in (SENTENCES[:4], SENTENCES[4:]):
        result = oracle.batch_layers([list(sentence) for sentence in batch], states)
        states = carry_states(states, result.states)
        expected += [
            result.layers[:, row, 1 : len(sentence) + 1] for row, sentence in enumerate(batch)
        ]
    extractor = ElmoExtractor(_encoder(files, CarryState()), max_tokens=1, batch_size=4)
    assert extractor.order_counts
    _assert_close(extractor.embed(SENTENCES), expected)


def test_sentences_are_read_when_they_are_needed(files: ElmoFiles) -> None:
    """An endless stream gives its first vectors."""

    def endless() -> Iterator[List[str]]:
        while True:
            yield ["rain"]

    stream = ElmoExtractor(_encoder(files), max_tokens=8).stream(endless())
    assert next(stream).shape == (4, 1, 32)


def test_a_result_holds_no_other_in_memory(files: ElmoFiles) -> None:
    """An array has memory of its own, not a part of its batch's."""
    first, second = ElmoExtractor(_encoder(files)).embed([["a"], ["rain"]])
    assert first.base is None and second.base is None


def test_threads_share_an_extractor(files: ElmoFiles) -> None:
    """Eight threads get the vectors that one gets."""
    extractor = ElmoExtractor(_encoder(files, WarmState()), max_tokens=20)
    expected = ElmoExtractor(_encoder(files, WarmState())).embed(SENTENCES)
    found: List[List[numpy.ndarray]] = []
    threads = [
        threading.Thread(target=lambda: found.append(extractor.embed(SENTENCES))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    for each in found:
        _assert_close(each, expected)


class _SmallMemory(BilmEncoder):
    """An encoder whose memory holds a number of sentences."""

    rows = 2

    def forward(
        self, batch: SentenceBatch, num_representations: Optional[int] = None
    ) -> EncodedSentences:
        if len(batch) > self.rows:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")
        return super().forward(batch, num_representations)


@pytest.mark.parametrize("sentences", [SENTENCES, SENTENCES * 3])
def test_a_batch_that_does_not_fit_is_halved(
    files: ElmoFiles, sentences: List[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Vectors are the same, and one warning tells."""
    expected = ElmoExtractor(_encoder(files)).embed(sentences)
    encoder = _SmallMemory.from_files(*files, initial_state=ZeroState())
    _assert_close(ElmoExtractor(encoder).embed(sentences), expected)
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1 and "Tried to allocate 2.00 GiB). It is halved" in warnings[0]


def test_a_sentence_that_does_not_fit_on_an_accelerator_is_run_on_the_cpu(
    files: ElmoFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy on the CPU gives the same vectors."""
    expected = ElmoExtractor(_encoder(files)).embed(SENTENCES)
    extractor = ElmoExtractor(_encoder(files))
    copy = extractor._copy_on_cpu()

    def fail(*_: Any) -> None:
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr(extractor.encoder, "forward", fail)
    with pytest.raises(MemoryError, match="A sentence of 9 tokens does not fit"):
        extractor.embed(SENTENCES)
    # No machine without an accelerator has a device that is none.
    monkeypatch.setattr(
        ElmoExtractor,
        "_device",
        property(lambda self: torch.device("cpu" if self is copy else "meta")),
    )
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_: self)
    _assert_close(extractor.embed(SENTENCES), expected)


def test_other_errors_stay_what_they_are(files: ElmoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a lack of memory is met with smaller batches."""
    extractor = ElmoExtractor(_encoder(files))

    def fail(*_: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(extractor.encoder, "forward", fail)
    with pytest.raises(RuntimeError, match="^a fault$"):
        extractor.embed(SENTENCES)


def test_strings_are_sequences_of_characters(
    files: ElmoFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """As protein tools pass them; one line of the log says so."""
    caplog.set_level(logging.INFO)
    extractor = ElmoExtractor(_encoder(files))
    strings, lists = extractor.embed(["MKV", "AC"]), extractor.embed([list("MKV"), list("AC")])
    assert all(map(numpy.array_equal, strings, lists))
    assert len([r for r in caplog.records if "each character is a token" in r.getMessage()]) == 1


@pytest.mark.parametrize(
    "sentences, message",
    [
        ("two words", r"got the string 'two words'"),
        ([["a", 1]], r"sequence of strings, got \['a', 1\]"),
        ([[["a"]]], r"sequence of strings"),
        ([["a", None]], r"sequence of strings"),
    ],
)
def test_what_is_no_sentence_is_an_error(files: ElmoFiles, sentences: Any, message: str) -> None:
    """The error shows what was found."""
    with pytest.raises(ConfigurationError, match=message):
        ElmoExtractor(_encoder(files)).embed(sentences)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"layers": "tob"}, "'top', 'average'"),
        ({"layers": 4}, "from 0 .the token layer. to 3, got 4"),
        ({"layers": FixedScalarMix([0.0] * 4, do_layer_norm=True)}, "rest of its batch"),
        ({"pool": "max"}, "got 'max'"),
        ({"pool": "mean", "keep_sentence_boundaries": True}, "Keep one of them"),
        ({"max_tokens": 0}, "'max_tokens' to be at least 1, got 0"),
        ({"batch_size": -1}, "'batch_size' to be at least 1, got -1"),
    ],
)
def test_arguments_that_mean_nothing_are_errors(
    files: ElmoFiles, arguments: Any, message: str
) -> None:
    """The error says what was expected."""
    with pytest.raises(ConfigurationError, match=message):
        ElmoExtractor(_encoder(files), **arguments)


def test_the_copy_on_the_cpu_takes_no_room_where_the_weights_are(
    files: ElmoFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No weight is copied on its own device, which has no room left."""
    extractor = ElmoExtractor(_encoder(files, WarmState()), "average")
    expected = extractor.embed(SENTENCES)

    def refuse(*_: Any) -> None:
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr(torch.nn.Parameter, "__deepcopy__", refuse)
    monkeypatch.setattr(torch.Tensor, "__deepcopy__", refuse)
    _assert_close(extractor._copy_on_cpu().embed(SENTENCES), expected)


@pytest.mark.parametrize("width", [8, 60])
def test_words_have_the_width_of_the_options(tmp_path: Path, width: int) -> None:
    """A biLM whose words have fewer or more characters than 50 needs no option."""
    files = write_elmo_files(tmp_path, elmo_options(max_characters=width))
    expected = Oracle(*files).batch_layers([SENTENCES[3]]).layers[:, 0]
    _assert_close(ElmoExtractor(_encoder(files)).embed([SENTENCES[3]]), [expected[:, 1:-1]])
