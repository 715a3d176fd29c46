"""Tests that convolutions from character products agree with those of PyTorch."""

from typing import Any, Iterator, List, NamedTuple, Sequence, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError

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
"""Widths and numbers of filters, with every remainder of the number that runs at a time."""


class Network(NamedTuple):
    """Random filters of several widths."""

    embedding: torch.nn.Embedding
    convolutions: List[torch.nn.Conv1d]

    def products(self) -> List[CharacterProducts]:
        """Returns the character products that the kernels read."""
        characters = self.embedding.weight
        return [
            character_products(characters, convolution.weight, convolution.bias)
            for convolution in self.convolutions
            if convolution.bias is not None
        ]

    def __call__(self, words: torch.Tensor) -> torch.Tensor:
        """Returns the largest values over every filter position, as PyTorch computes them."""
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


def _words(lengths: Sequence[int], size: int) -> torch.Tensor:
    """Returns a word of random characters for each length, padded to the same size."""
    words = torch.randint(0, FILLER, (len(lengths), size))
    for word, length in zip(words, lengths):
        word[length:] = FILLER
    return words


def _assert_close(left: torch.Tensor, right: torch.Tensor) -> None:
    """Compares in units of the largest number, since rounding grows with it."""
    assert left.shape == right.shape
    assert (left - right).abs().max() < TOLERANCE * right.abs().max().clamp(min=1.0)


@pytest.mark.parametrize("size", [7, 8, 12, 50])
def test_words_of_every_length_agree(kernels: Kernels, size: int) -> None:
    """Words agree from padding only to no padding, also if the widest filter covers all of them."""
    network = _network()
    words = _words([*range(size + 1)] * 3, size)
    _assert_close(kernel_convolutions(kernels, words, network.products(), FILLER), network(words))


@pytest.mark.parametrize("number", [16, 32, 48, 64, 80, 112, 128, 144])
def test_any_number_of_filters_agrees(kernels: Kernels, number: int) -> None:
    """The last filters agree as the first do, also where fewer are left than run at a time."""
    network = _network([(3, number)])
    words = _words([0, 1, 5, 9, 10], 10)
    _assert_close(kernel_convolutions(kernels, words, network.products(), FILLER), network(words))


def test_filter_positions_of_padding_count(kernels: Kernels) -> None:
    """A filter position with nothing but padding can have the largest value of a word."""
    network = _network([(1, 16), (3, 32)])
    with torch.no_grad():
        for convolution in network.convolutions:
            convolution.weight.fill_(1.0)
        network.embedding.weight[FILLER] = 10.0
    words = _words([*range(11)], 10)
    got = kernel_convolutions(kernels, words, network.products(), FILLER)
    _assert_close(got, network(words))
    assert (got[:8, 16:] > 140).all() and (got[9:, 16:] < 140).all()


def test_padding_inside_a_word_is_a_character(kernels: Kernels) -> None:
    """The kernels skip padding only after the last other character."""
    network = _network()
    words = _words([12, 12, 9], 12)
    words[0, 2:8] = words[1, 0] = words[2, :8] = FILLER
    _assert_close(kernel_convolutions(kernels, words, network.products(), FILLER), network(words))


@pytest.mark.parametrize("padding", [0, -1, CHARACTERS + 3])
def test_padding_may_be_any_character(kernels: Kernels, padding: int) -> None:
    """The padding character saves filter positions and changes no value, even without products."""
    network = _network()
    words = _words([*range(13)], 12)
    words[3, 4:] = 0
    _assert_close(kernel_convolutions(kernels, words, network.products(), padding), network(words))


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_words_may_have_any_layout(kernels: Kernels, dtype: torch.dtype) -> None:
    """Words of any strides and integer type have the same values."""
    network = _network()
    words = _words([*range(13)], 12)
    odd = words.t().contiguous().to(dtype).t()
    assert not odd.is_contiguous()
    got = kernel_convolutions(kernels, odd, network.products(), FILLER)
    assert torch.equal(got, kernel_convolutions(kernels, words, network.products(), FILLER))


def test_no_words_give_no_rows(kernels: Kernels) -> None:
    """No words give an output with no rows."""
    words = torch.zeros(0, 12, dtype=torch.long)
    got = kernel_convolutions(kernels, words, _network().products(), FILLER)
    assert got.shape == (0, sum(number for _, number in FILTERS))


@pytest.mark.parametrize("character", [-1, CHARACTERS, 2**40, -(2**40)])
@pytest.mark.parametrize("position", [0, 11])
def test_unknown_characters_are_refused(kernels: Kernels, position: int, character: int) -> None:
    """A character without products is an error, as in an embedding."""
    words = _words([12, 12, 12], 12)
    words[1, position] = character
    with pytest.raises(ConfigurationError, match="from 0 to 19"):
        kernel_convolutions(kernels, words, _network().products(), FILLER)


def test_a_word_alone_has_the_vector_it_has_among_others(kernels: Kernels) -> None:
    """The words beside a word change no bit of its vector."""
    filters = _network().products()
    words = _words([*range(13)], 12)
    together = kernel_convolutions(kernels, words, filters, FILLER)
    for i in range(13):
        alone = kernel_convolutions(kernels, words[i : i + 1], filters, FILLER)
        assert torch.equal(alone[0], together[i])


@pytest.fixture(name="threads")
def _threads() -> Iterator[None]:
    """Restores the number of threads after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_threads_change_nothing(kernels: Kernels, threads: None) -> None:
    """The number of threads changes no bit."""
    filters = _network().products()
    words = _words([*range(13)], 12)
    results = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        results.append(kernel_convolutions(kernels, words, filters, FILLER))
    assert torch.equal(results[1], results[0]) and torch.equal(results[2], results[0])


def test_nan_in_a_filter_stays_nan(kernels: Kernels) -> None:
    """A filter with a NaN weight gives NaN where PyTorch does."""
    network = _network([(1, 16), (3, 16)])
    with torch.no_grad():
        network.convolutions[1].weight[3, 2, 1] = float("nan")
    words = _words([0, 5, 12], 12)
    got = kernel_convolutions(kernels, words, network.products(), FILLER)
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
    """The vectors of words of every kind agree, also of repeated ones and of boundaries."""
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
    """An unknown character is an error with kernels and without."""
    words = torch.tensor([spell_word("cat")])
    words[0, 1] = character
    with use_kernels(capability), torch.no_grad(), pytest.raises(ConfigurationError):
        _char_cnn()(words)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_padding_of_words_is_the_padding_of_the_kernels(capability: str) -> None:
    """The kernels skip filter positions of short words only if they do not count."""
    char_cnn = _char_cnn()
    with torch.no_grad():
        char_cnn.char_embedding[PADDING + 1] = 2.0
        words = torch.tensor([spell_word("a" * length) for length in (0, 1, 43, 44, 47, 48)])
        with use_kernels("plain"):
            expected = char_cnn(words)
        with use_kernels(capability):
            _assert_close(char_cnn(words), expected)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_other_numbers_of_filters_run_in_pytorch(capability: str) -> None:
    """PyTorch computes all filters if the number of one width is no multiple of 16."""
    char_cnn = _char_cnn(((1, 16), (2, 8), (3, 24)))
    words = torch.tensor([spell_word(word) for word in WORD_LIST])
    with torch.no_grad():
        with use_kernels("plain"):
            expected = char_cnn(words)
        with use_kernels(capability):
            _assert_close(char_cnn(words), expected)


def _gradients(char_cnn: CharCnn, words: torch.Tensor) -> List[torch.Tensor]:
    """Returns the gradient of every parameter, for a loss that weights each number differently."""
    char_cnn.zero_grad(set_to_none=True)
    torch.manual_seed(1)
    vectors = char_cnn(words)
    (vectors * torch.randn_like(vectors)).sum().backward()
    return [parameter.grad for parameter in char_cnn.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("activation", [torch.relu, torch.tanh])
def test_its_gradients_are_those_of_pytorch(capability: str, activation: Any) -> None:
    """All parameters have PyTorch's gradients, and the row for no character has none."""
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


@pytest.mark.parametrize("frozen", ["_char_embedding_weights", "char_conv_1", "_highways"])
def test_frozen_parameters_get_no_gradient(frozen: str) -> None:
    """Frozen parameters get no gradient, and the others get theirs."""
    words = torch.tensor([spell_word(word) for word in WORD_LIST])
    char_cnn = _char_cnn()
    for name, parameter in char_cnn.named_parameters():
        parameter.requires_grad = not name.startswith(frozen)
    with use_kernels("plain"):
        expected = _gradients(char_cnn, words)
    got = _gradients(char_cnn, words)
    assert 0 < len(got) < len(list(char_cnn.parameters()))
    for mine, theirs in zip(got, expected):
        assert (mine - theirs).abs().max() < 1e-4 * (1 + theirs.abs().max())


def test_threads_change_no_gradient(threads: None) -> None:
    """The number of threads changes no bit of the gradients of products and biases."""
    words, original = _words([*range(13)], 12), _network().products()
    results = []
    for number in (1, 2):
        torch.set_num_threads(number)
        filters = [
            CharacterProducts(*(part.detach().clone().requires_grad_() for part in one))
            for one in original
        ]
        kernel_convolutions(_best_kernels(), words, filters, FILLER).pow(2).sum().backward()
        results.append([part.grad for one in filters for part in one])
    for one, two in zip(*results):
        assert one is not None and two is not None and torch.equal(one, two)


def test_gradients_of_gradients_are_refused() -> None:
    """Gradients of second order are an error instead of a missing term."""
    network = _network()
    words = _words([3, 5], 12)
    vectors = kernel_convolutions(_best_kernels(), words, network.products(), FILLER)
    (gradient,) = torch.autograd.grad(
        vectors.pow(2).sum(), network.embedding.weight, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_it_computes_in_float32_under_autocast() -> None:
    """Autocast does not round the products and biases."""
    network = _network()
    words = _words([*range(13)], 12)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        got = kernel_convolutions(_best_kernels(), words, network.products(), FILLER)
    _assert_close(got, network(words))


def _best_kernels() -> Kernels:
    kernels = choose_kernels()
    assert kernels is not None
    return kernels
