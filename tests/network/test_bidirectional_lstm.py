"""The two stacks of LSTMs: order, state, skip connections and dropout."""

from typing import Any, Dict, List, Optional, Tuple

import pytest
import torch

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.kernels import available_kernels, use_kernels
from allennlp_elmo_plugin.network.bidirectional_lstm import BidirectionalLstm, LstmState
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout

TOLERANCE = 1e-5
LENGTHS = [3, 5, 0, 1, 5]
SIZE, CELL_SIZE, NUM_LAYERS = 16, 32, 3


def _stacks(**changes: Any) -> BidirectionalLstm:
    """Returns stacks of large random weights."""
    torch.manual_seed(0)
    sizes: Dict[str, Any] = {"projection_dim": SIZE, "cell_size": CELL_SIZE, **changes}
    lstm = BidirectionalLstm(ElmoOptions(((1, 4),), num_layers=NUM_LAYERS, **sizes))
    for parameter in lstm.requires_grad_(False).parameters():
        parameter.normal_(std=0.4)
    return lstm


def _layout(lengths: List[int]) -> TimeMajorLayout:
    return TimeMajorLayout.from_lengths(lengths, max(lengths), torch.device("cpu"))


def _state(batch_size: int) -> LstmState:
    shape = (2, NUM_LAYERS, batch_size)
    return LstmState(torch.randn(*shape, SIZE), torch.randn(*shape, CELL_SIZE))


def _case() -> Tuple[torch.Tensor, TimeMajorLayout, LstmState]:
    torch.manual_seed(1)
    return torch.randn(2, sum(LENGTHS), SIZE), _layout(LENGTHS), _state(len(LENGTHS))


def _row_of(layout: TimeMajorLayout, row: int) -> torch.Tensor:
    """Returns the indices of a row's tokens, from its first to its last."""
    rows = torch.div(layout.positions, layout.padded_shape[1], rounding_mode="floor")
    return (rows == row).nonzero().squeeze(1)


@pytest.mark.parametrize("kernels", available_kernels())
def test_rows_alone_are_rows_of_a_batch(kernels: str) -> None:
    """Rows of any lengths in any order start, run and end as each does alone."""
    lstm, (inputs, layout, state) = _stacks(), _case()
    with use_kernels(kernels):
        outputs, end = lstm(inputs, layout, state)
        assert len(outputs) == NUM_LAYERS
        for row, length in enumerate(LENGTHS):
            tokens, its_row = _row_of(layout, row), torch.tensor([row])
            start = state.select_rows(its_row)
            alone, last = lstm(inputs[:, tokens], _layout([length]), start)
            for whole, single in zip(outputs, alone):
                assert torch.allclose(whole[:, tokens], single, rtol=0, atol=TOLERANCE)
            for new, old in zip(end.select_rows(its_row), last):
                assert torch.allclose(new, old, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kernels", available_kernels())
def test_a_row_without_tokens_keeps_its_state(kernels: str) -> None:
    """The state of an empty row is the same before and after, to the bit."""
    lstm, (inputs, layout, state) = _stacks(), _case()
    with use_kernels(kernels):
        _, end = lstm(inputs, layout, state)
    empty = LENGTHS.index(0)
    for new, old in zip(end, state):
        assert torch.equal(new[:, :, empty], old[:, :, empty])
        assert not torch.equal(new[:, :, 0], old[:, :, 0])


@pytest.mark.parametrize("kernels", available_kernels())
def test_a_text_in_two_halves_is_the_text(kernels: str) -> None:
    """The state after some tokens is the one from which the next tokens go on."""
    lstm, inputs, start = _stacks(), torch.randn(2, 7, SIZE), _state(1)
    with use_kernels(kernels):
        whole, end = lstm(inputs, _layout([7]), start)
        first, middle = lstm(inputs[:, :3], _layout([3]), start)
        second, last = lstm(inputs[:, 3:], _layout([4]), middle)
    for layer, left, right in zip(whole, first, second):
        assert torch.allclose(layer, torch.cat([left, right], dim=1), rtol=0, atol=TOLERANCE)
    assert all(torch.allclose(new, old, rtol=0, atol=TOLERANCE) for new, old in zip(last, end))


@pytest.mark.parametrize("kernels", available_kernels())
@pytest.mark.parametrize("direction", [0, 1])
def test_directions_never_mix(kernels: str, direction: int) -> None:
    """Other inputs and states of one direction change nothing in the other."""
    lstm, (inputs, layout, state) = _stacks(), _case()
    other = inputs.clone()
    other[direction].neg_()
    changed = LstmState(*(part.clone() for part in state))
    for part in changed:
        part[direction].neg_()
    with use_kernels(kernels):
        before, end = lstm(inputs, layout, state)
        after, last = lstm(other, layout, changed)
    for left, right in [*zip(before, after), *zip(end, last)]:
        assert torch.equal(left[1 - direction], right[1 - direction])
        assert not torch.equal(left[direction], right[direction])


@pytest.mark.parametrize("kernels", available_kernels())
@pytest.mark.parametrize("use_skip_connections", [False, True])
def test_skip_connections_add_the_input_of_a_layer(
    kernels: str, use_skip_connections: bool
) -> None:
    """From the second layer on, a layer's input is added to its output, but not to its state."""
    lstm = _stacks(use_skip_connections=use_skip_connections)
    inputs, layout, state = _case()
    with use_kernels(kernels):
        outputs, end = lstm(inputs, layout, state)
        ordered = state.select_rows(layout.row_order)
        for direction in range(2):
            below = inputs[direction]
            for k, layer in enumerate(lstm.layers):
                single = layer[direction]
                assert isinstance(single, ProjectedLstm)
                start = ordered.hidden[direction, k], ordered.cell[direction, k]
                own, (hidden, _) = single(below, layout.batch_sizes, start)
                below = own + below if k and use_skip_connections else own
                assert torch.allclose(outputs[k][direction], below, rtol=0, atol=TOLERANCE)
                found = end.hidden[direction, k].index_select(0, layout.row_order)
                assert torch.allclose(found, hidden, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("num_layers", [0, 1, 2, NUM_LAYERS, None])
def test_fewer_layers_are_the_first_of_all(num_layers: Optional[int]) -> None:
    """The first layers give what they give with all, and the others keep their state."""
    lstm, (inputs, layout, state) = _stacks(), _case()
    expected, end = lstm(inputs, layout, state)
    outputs, last = lstm(inputs, layout, state, num_layers)
    number = NUM_LAYERS if num_layers is None else num_layers
    assert len(outputs) == number
    assert all(torch.equal(left, right) for left, right in zip(outputs, expected))
    for new, all_run, old in zip(last, end, state):
        assert torch.equal(new[:, :number], all_run[:, :number])
        assert torch.equal(new[:, number:], old[:, number:])


@pytest.mark.parametrize("kernels", available_kernels())
def test_outputs_and_gradients_are_those_of_pytorch(kernels: str) -> None:
    """Outputs, states and all gradients are the same with kernels and without."""
    results = []
    for name in ("plain", kernels):
        lstm, (inputs, layout, state) = _stacks().requires_grad_(), _case()
        leaves = [part.requires_grad_() for part in (inputs, *state)]
        with use_kernels(name):
            outputs, end = lstm(inputs, layout, LstmState(*leaves[1:]))
            sum(part.pow(2).sum() for part in (*outputs, *end)).backward()
        gradients = [tensor.grad for tensor in (*leaves, *lstm.parameters())]
        results.append([*outputs, *end, *gradients])
    for plain, found in zip(*results):
        assert torch.allclose(plain, found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernels", available_kernels())
def test_dropout_drops_the_input_of_each_layer(
    kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dropped input is not added by the skip connection either."""
    lstm, (inputs, layout, state) = _stacks(), _case()
    dropped: List[float] = []

    def drop_all(tensor: torch.Tensor, probability: float) -> torch.Tensor:
        dropped.append(probability)
        return torch.zeros_like(tensor)

    with use_kernels(kernels):
        with monkeypatch.context() as patch:
            patch.setattr("allennlp_elmo_plugin.network.bidirectional_lstm.fast_dropout", drop_all)
            outputs, _ = lstm(inputs, layout, state, dropout=0.25)
        nothing, _ = lstm(torch.zeros_like(inputs), layout, state, num_layers=1)
        second = lstm.layers[1][0]
        assert isinstance(second, ProjectedLstm)
        ordered = state.select_rows(layout.row_order)
        start = ordered.hidden[0, 1], ordered.cell[0, 1]
        expected, _ = second(torch.zeros_like(inputs[0]), layout.batch_sizes, start)
    assert dropped == [0.25] * NUM_LAYERS
    assert torch.allclose(outputs[0], nothing[0], rtol=0, atol=TOLERANCE)
    assert torch.allclose(outputs[1][0], expected, rtol=0, atol=TOLERANCE)


def test_no_dropout_draws_no_random_numbers() -> None:
    """Without dropout, the random numbers of a training stay as they are."""
    lstm, case = _stacks(), _case()
    before = torch.get_rng_state()
    lstm(*case)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_of_zeros_has_the_shape_of_the_stacks() -> None:
    """A state of zeros has the type of the weights and a row for each sentence."""
    lstm = _stacks().double()
    state = lstm.zero_state(5)
    assert state.hidden.shape == (2, NUM_LAYERS, 5, SIZE)
    assert state.cell.shape == (2, NUM_LAYERS, 5, CELL_SIZE)
    assert all(part.dtype == torch.float64 and not part.any() for part in state)


def test_rows_of_a_state_are_selected() -> None:
    """Rows are selected in the order of their indices, of the hidden state and of the cell."""
    state = _state(4)
    selected = state.select_rows(torch.tensor([2, 0]))
    for new, old in zip(selected, state):
        assert torch.equal(new, old[:, :, [2, 0]])
