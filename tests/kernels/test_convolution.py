"""Convolutions by table are those of PyTorch."""

from typing import Any, Iterator, List, NamedTuple, Sequence, Tuple

import pytest
import torch

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.kernels import (
    CharacterProducts,
    Kernels,
    available_kernels,
    character_products,
    choose_kernels,
    kernel_convolutions,
    use_kernels,
)
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.spelling import NUM_CHARACTERS, PADDING, spell_word
from tests.support.kernels import CAPABILITIES
from tests.support.words import WORD_LIST

TOLERANCE = 1e-5

CHARACTERS = 20
FILLER = 19
"""The characters of the tests below are 0 to 19, and the last one is the padding."""

FILTERS = ((1, 16), (2, 32), (3, 48), (4, 64), (5, 80), (7, 16))
"""Widths, and numbers in all remainders of what is computed at a time."""


class Network(NamedTuple):
    """Random filters of several widths."""

    embedding: torch.nn.Embedding
    convolutions: List[torch.nn.Conv1d]

    def tables(self) -> List[CharacterProducts]:
        """What the kernels read."""
        characters = self.embedding.weight
        return [
            character_products(characters, convolution.weight, convolution.bias)
            for convolution in self.convolutions
            if convolution.bias is not None
        ]

    def __call__(self, words: torch.Tensor) -> torch.Tensor:
        """What PyTorch makes of the words, over every window."""
        characters = self.embedding(words).transpose(1, 2)
        pooled = [convolution(characters).max(dim=-1).values for convolution in self.convolutions]
        return torch.cat(pooled, dim=1).detach()


def _network(filters: Sequence[Tuple[int, int]] = FILTERS) -> Network:
    torch.manual_seed(0)
    return Network(
        torch.nn.Embedding(CHARACTERS, 5),
        [torch.nn.Conv1d(5, number, width) for width, number in filters],
    )


@pytest.fixture(name="kernels", params=CAPABILITIES)
def _kernels(request: pytest.FixtureRequest) -> Kernels:
    with use_kernels(request.param):
        kernels = choose_kernels()
    assert kernels is not None and kernels.capability == request.param
    return kernels


def _words(lengths: Sequence[int], places: int) -> torch.Tensor:
    """A word of random characters for each length, filled up with padding."""
    words = torch.randint(0, FILLER, (len(lengths), places))
    for word, length in zip(words, lengths):
        word[length:] = FILLER
    return words


def _assert_close(left: torch.Tensor, right: torch.Tensor) -> None:
    assert left.shape == right.shape
    assert (left - right).abs().max() < TOLERANCE


@pytest.mark.parametrize("places", [7, 8, 12, 50])
def test_words_of_every_length_agree(kernels: Kernels, places: int) -> None:
    """From padding only to no padding at all, down to as many places as the widest filter has."""
    network = _network()
    words = _words([*range(places + 1)] * 3, places)
    _assert_close(kernel_convolutions(kernels, words, network.tables(), FILLER), network(words))


@pytest.mark.parametrize("number", [16, 32, 48, 64, 80, 112, 128, 144])
def test_any_number_of_filters_agrees(kernels: Kernels, number: int) -> None:
    """The last filters are no other than the first."""
    network = _network([(3, number)])
    words = _words([0, 1, 5, 9, 10], 10)
    _assert_close(kernel_convolutions(kernels, words, network.tables(), FILLER), network(words))


def test_windows_of_padding_count(kernels: Kernels) -> None:
    """Where padding has the largest value of all, it is what comes out, unless there is none."""
    network = _network([(1, 16), (3, 32)])
    with torch.no_grad():
        for convolution in network.convolutions:
            convolution.weight.fill_(1.0)
        network.embedding.weight[FILLER] = 10.0
    words = _words([*range(11)], 10)
    got = kernel_convolutions(kernels, words, network.tables(), FILLER)
    _assert_close(got / 100, network(words) / 100)
    assert (got[:8, 16:] > 140).all() and (got[9:, 16:] < 140).all()


def test_padding_inside_a_word_is_a_character(kernels: Kernels) -> None:
    """Only what follows the last other character is skipped."""
    network = _network()
    words = _words([12, 12, 9], 12)
    words[0, 2:8] = words[1, 0] = words[2, :8] = FILLER
    _assert_close(kernel_convolutions(kernels, words, network.tables(), FILLER), network(words))


@pytest.mark.parametrize("padding", [0, -1, CHARACTERS + 3])
def test_padding_may_be_any_character(kernels: Kernels, padding: int) -> None:
    """Which one it is saves windows and changes no value, even if it is none of the table's."""
    network = _network()
    words = _words([*range(13)], 12)
    words[3, 4:] = 0
    _assert_close(kernel_convolutions(kernels, words, network.tables(), padding), network(words))


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_words_may_have_any_layout(kernels: Kernels, dtype: torch.dtype) -> None:
    """They are read by their strides and types."""
    network = _network()
    words = _words([*range(13)], 12)
    odd = words.t().contiguous().to(dtype).t()
    assert not odd.is_contiguous()
    got = kernel_convolutions(kernels, odd, network.tables(), FILLER)
    assert torch.equal(got, kernel_convolutions(kernels, words, network.tables(), FILLER))


def test_no_words_give_no_rows(kernels: Kernels) -> None:
    """Nothing in, nothing out."""
    words = torch.zeros(0, 12, dtype=torch.long)
    got = kernel_convolutions(kernels, words, _network().tables(), FILLER)
    assert got.shape == (0, sum(number for _, number in FILTERS))


@pytest.mark.parametrize("character", [-1, CHARACTERS, 2**40, -(2**40)])
@pytest.mark.parametrize("place", [0, 11])
def test_unknown_characters_are_refused(kernels: Kernels, place: int, character: int) -> None:
    """As by an embedding, and nothing is read from beyond the table."""
    words = _words([12, 12, 12], 12)
    words[1, place] = character
    with pytest.raises(IndexError, match="from 0 to 19"):
        kernel_convolutions(kernels, words, _network().tables(), FILLER)


def test_a_word_alone_has_the_vector_it_has_among_others(kernels: Kernels) -> None:
    """To the bit."""
    tables = _network().tables()
    words = _words([*range(13)], 12)
    together = kernel_convolutions(kernels, words, tables, FILLER)
    for i in range(13):
        alone = kernel_convolutions(kernels, words[i : i + 1], tables, FILLER)
        assert torch.equal(alone[0], together[i])


@pytest.fixture(name="threads")
def _threads() -> Iterator[None]:
    """Puts the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_threads_change_nothing(kernels: Kernels, threads: None) -> None:
    """To the bit."""
    tables = _network().tables()
    words = _words([*range(13)], 12)
    results = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        results.append(kernel_convolutions(kernels, words, tables, FILLER))
    assert torch.equal(results[1], results[0]) and torch.equal(results[2], results[0])


def test_a_filter_without_numbers_gives_none(kernels: Kernels) -> None:
    """A weight that is no number does not come out as one."""
    network = _network([(1, 16), (3, 16)])
    with torch.no_grad():
        network.convolutions[1].weight[3, 2, 1] = float("nan")
    words = _words([0, 5, 12], 12)
    got = kernel_convolutions(kernels, words, network.tables(), FILLER)
    assert torch.equal(got.isnan(), network(words).isnan())


def _char_cnn(filters: Tuple[Tuple[int, int], ...] = ((1, 16), (2, 32), (5, 48))) -> CharCnn:
    torch.manual_seed(0)
    options = ElmoOptions(filters, projection_dim=32, cell_size=16, num_layers=1, num_highways=2)
    char_cnn = CharCnn(options)
    with torch.no_grad():
        for parameter in char_cnn.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return char_cnn


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_vectors_of_words_are_those_of_pytorch(capability: str) -> None:
    """Words of every kind, repeated ones too, and the boundaries of sentences."""
    words = torch.tensor([spell_word(word) for word in [*WORD_LIST, "house", *WORD_LIST[:3]]])
    char_cnn = _char_cnn()
    with torch.no_grad():
        with use_kernels("plain"):
            expected = char_cnn(words)
        with use_kernels(capability):
            _assert_close(char_cnn(words), expected)


@pytest.mark.parametrize("capability", available_kernels())
@pytest.mark.parametrize("character", [-1, NUM_CHARACTERS + 1])
def test_unknown_characters_are_refused_alike(capability: str, character: int) -> None:
    """With kernels and without."""
    words = torch.tensor([spell_word("cat")])
    words[0, 1] = character
    with use_kernels(capability), torch.no_grad(), pytest.raises(IndexError):
        _char_cnn()(words)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_padding_of_words_is_the_tables_padding(capability: str) -> None:
    """Of a short word's windows most are skipped; those that count are all there."""
    char_cnn = _char_cnn()
    with torch.no_grad():
        char_cnn.char_embedding.weight[PADDING + 1] = 2.0
        words = torch.tensor([spell_word("a" * length) for length in (0, 1, 43, 44, 47, 48)])
        with use_kernels("plain"):
            expected = char_cnn(words)
        with use_kernels(capability):
            _assert_close(char_cnn(words), expected)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_other_numbers_of_filters_run_in_pytorch(capability: str) -> None:
    """A width whose filters are no multiple of 16 has all of them computed in PyTorch."""
    char_cnn = _char_cnn(((1, 16), (2, 8), (3, 24)))
    words = torch.tensor([spell_word(word) for word in WORD_LIST])
    with torch.no_grad():
        with use_kernels("plain"):
            expected = char_cnn(words)
        with use_kernels(capability):
            _assert_close(char_cnn(words), expected)


def _gradients(char_cnn: CharCnn, words: torch.Tensor) -> List[torch.Tensor]:
    """Of every parameter, for a loss in which each vector of each word counts differently."""
    char_cnn.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    vectors = char_cnn(words)
    (vectors * torch.randn_like(vectors)).sum().backward()
    return [parameter.grad for parameter in char_cnn.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("activation", [torch.relu, torch.tanh])
def test_its_gradients_are_those_of_pytorch(capability: str, activation: Any) -> None:
    """Of characters, filters, biases and all that follows; the row for no character has none."""
    words = torch.tensor([spell_word(word) for word in [*WORD_LIST, "aaaa", "house"]])
    char_cnn = _char_cnn()
    char_cnn.activation = activation
    with use_kernels("plain"):
        expected = _gradients(char_cnn, words)
    with use_kernels(capability):
        got = _gradients(char_cnn, words)
    assert len(got) == len(expected) == len(list(char_cnn.parameters()))
    for mine, theirs in zip(got, expected):
        assert (mine - theirs).abs().max() < 1e-4 * (1 + theirs.abs().max())
    assert not got[0][0].any()


@pytest.mark.parametrize("frozen", ["char_embedding", "convolutions", "highways"])
def test_what_is_frozen_gets_no_gradient(frozen: str) -> None:
    """The others get theirs all the same."""
    words = torch.tensor([spell_word(word) for word in WORD_LIST])
    char_cnn = _char_cnn()
    char_cnn.get_submodule(frozen).requires_grad_(False)
    with use_kernels("plain"):
        expected = _gradients(char_cnn, words)
    got = _gradients(char_cnn, words)
    assert 0 < len(got) < len(list(char_cnn.parameters()))
    for mine, theirs in zip(got, expected):
        assert (mine - theirs).abs().max() < 1e-4 * (1 + theirs.abs().max())


def test_threads_change_no_gradient(threads: None) -> None:
    """Of the tables, to the bit."""
    words, made = _words([*range(13)], 12), _network().tables()
    results = []
    for number in (1, 2):
        torch.set_num_threads(number)
        tables = [
            CharacterProducts(*(part.detach().clone().requires_grad_() for part in table))
            for table in made
        ]
        kernel_convolutions(_best_kernels(), words, tables, FILLER).pow(2).sum().backward()
        results.append([part.grad for table in tables for part in table])
    for one, two in zip(*results):
        assert one is not None and two is not None and torch.equal(one, two)


def test_gradients_of_gradients_are_refused() -> None:
    """Rather than left out."""
    network = _network()
    words = _words([3, 5], 12)
    vectors = kernel_convolutions(_best_kernels(), words, network.tables(), FILLER)
    (gradient,) = torch.autograd.grad(
        vectors.pow(2).sum(), network.embedding.weight, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_it_computes_in_float32_under_autocast() -> None:
    """What the kernels read is never rounded."""
    network = _network()
    words = _words([*range(13)], 12)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        got = kernel_convolutions(_best_kernels(), words, network.tables(), FILLER)
    _assert_close(got, network(words))


def _best_kernels() -> Kernels:
    kernels = choose_kernels()
    assert kernels is not None
    return kernels
