"""One LSTM layer with projection, row by row and timestep by timestep against NumPy."""

from typing import Any, Dict, List, Tuple

import numpy
import pytest
import torch

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.kernels import available_kernels, use_kernels
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm, run_together
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout
from tests.support.kernels import CAPABILITIES
from tests.support.oracle import sigmoid

TOLERANCE = 1e-5
LENGTHS = [5, 3, 3, 1, 0]

SHAPES: Dict[str, Dict[str, Any]] = {
    "kernels": {},
    "no kernels": {"projection_dim": 6, "cell_size": 10},
    "clips that bind": {"cell_clip": 0.3, "proj_clip": 0.2},
    "no projection": {"projection_dim": 32, "state_projection": False},
}


def _layer(seed: int = 0, **changes: Any) -> ProjectedLstm:
    """Returns a layer of large random weights."""
    torch.manual_seed(seed)
    sizes: Dict[str, Any] = {"projection_dim": 16, "cell_size": 32, "num_layers": 1, **changes}
    lstm = ProjectedLstm(ElmoOptions(((1, 4),), **sizes)).requires_grad_(False)
    for parameter in lstm.parameters():
        parameter.normal_(std=0.5)
    return lstm


def _case(lstm: ProjectedLstm) -> Tuple[torch.Tensor, torch.Tensor, Tuple[torch.Tensor, ...]]:
    """Draws inputs for rows of `LENGTHS`, and the states that they start from."""
    hidden, cell = lstm.weight_hh.size(1), len(lstm.bias) // 4
    layout = TimeMajorLayout.from_lengths(LENGTHS, 5, torch.device("cpu"))
    inputs = torch.randn(sum(LENGTHS), hidden)
    state = torch.randn(len(LENGTHS), hidden), torch.randn(len(LENGTHS), cell)
    return inputs, layout.batch_sizes, state


def _run_row(
    lstm: ProjectedLstm, inputs: List[numpy.ndarray], hidden: numpy.ndarray, cell: numpy.ndarray
) -> Tuple[List[numpy.ndarray], numpy.ndarray, numpy.ndarray]:
    """Runs one row in float64, and returns its outputs and the state that it ends in."""
    weights = {name: weight.double().numpy() for name, weight in lstm.named_parameters()}
    outputs = []
    for x in inputs:
        gates = weights["input_linearity.weight"] @ x + weights["state_linearity.weight"] @ hidden
        gates = gates + weights["state_linearity.bias"]
        i, f, g, o = numpy.split(gates, 4)
        cell = sigmoid(i) * numpy.tanh(g) + sigmoid(f) * cell
        if lstm.cell_clip is not None:
            cell = numpy.clip(cell, -lstm.cell_clip, lstm.cell_clip)
        hidden = sigmoid(o) * numpy.tanh(cell)
        if lstm.has_projection:
            hidden = weights["state_projection.weight"] @ hidden
            if lstm.proj_clip is not None:
                hidden = numpy.clip(hidden, -lstm.proj_clip, lstm.proj_clip)
        outputs.append(hidden)
    return outputs, hidden, cell


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("kernels", available_kernels())
def test_outputs_and_states_are_those_of_the_formula(kernels: str, shape: str) -> None:
    """Each row has the outputs of a loop over its own tokens, and ends in the loop's state."""
    lstm = _layer(**SHAPES[shape])
    inputs, batch_sizes, state = _case(lstm)
    with use_kernels(kernels):
        outputs, (hidden, cell) = lstm(inputs, batch_sizes, state)
    assert outputs.shape == inputs.shape and hidden.shape == state[0].shape
    starts = (batch_sizes.cumsum(0) - batch_sizes).tolist()
    for row, length in enumerate(LENGTHS):
        tokens = [start + row for start in starts[:length]]
        expected, last_hidden, last_cell = _run_row(
            lstm,
            [inputs[token].double().numpy() for token in tokens],
            state[0][row].double().numpy(),
            state[1][row].double().numpy(),
        )
        for token, output in zip(tokens, expected):
            assert numpy.abs(outputs[token].numpy() - output).max() < TOLERANCE
        assert numpy.abs(hidden[row].numpy() - last_hidden).max() < TOLERANCE
        assert numpy.abs(cell[row].numpy() - last_cell).max() < TOLERANCE


@pytest.mark.parametrize("clip", [3, 10**30])
def test_a_clip_may_be_an_integer(clip: int) -> None:
    """An options file may write a number without a point, however large it is."""
    options = ElmoOptions(((1, 4),), 4, 8, 1, cell_clip=clip, proj_clip=clip)
    outputs, _ = ProjectedLstm(options)(
        torch.rand(2, 4), torch.tensor([1, 1]), (torch.zeros(1, 4), torch.zeros(1, 8))
    )
    assert outputs.isfinite().all()


@pytest.mark.parametrize("kernels", available_kernels())
def test_no_tokens_leave_the_state(kernels: str) -> None:
    """A batch without tokens has no outputs and ends where it starts."""
    lstm = _layer()
    _, _, state = _case(lstm)
    with use_kernels(kernels):
        outputs, end = lstm(torch.zeros(0, 16), torch.zeros(0, dtype=torch.long), state)
    assert outputs.shape == (0, 16)
    assert all(torch.equal(new, old) for new, old in zip(end, state))


@pytest.mark.parametrize("shape", list(SHAPES))
def test_directions_that_run_together_are_each_alone(shape: str) -> None:
    """The plain path runs two layers at once, each over its own inputs and from its own state."""
    lstms = [_layer(seed, **SHAPES[shape]) for seed in (1, 2)]
    cases = [_case(lstm) for lstm in lstms]
    inputs = torch.stack([inputs for inputs, _, _ in cases])
    hidden, cell = (torch.stack(parts) for parts in zip(*(state for _, _, state in cases)))
    outputs, end = run_together(lstms, inputs, cases[0][1], (hidden, cell))
    with use_kernels("plain"):
        for direction, (lstm, case) in enumerate(zip(lstms, cases)):
            expected, last = lstm(*case)
            assert torch.allclose(outputs[direction], expected, rtol=0, atol=1e-6)
            for new, old in zip(end, last):
                assert torch.allclose(new[direction], old, rtol=0, atol=1e-6)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_prepared_run_writes_into_given_memory(capability: str) -> None:
    """A prepared run fills the memory that it gets, and gives the same numbers."""
    lstm = _layer()
    inputs, batch_sizes, state = _case(lstm)
    out = torch.full_like(inputs, float("nan"))
    with use_kernels(capability):
        kernels = lstm.kernels_for(inputs)
        assert kernels is not None
        expected, last = lstm(inputs, batch_sizes, state)
        hidden, cell = (part.clone() for part in state)
        with torch.no_grad():
            lstm.prepare(kernels, inputs, batch_sizes, (hidden, cell), out).run()
    assert torch.equal(out, expected)
    assert torch.equal(hidden, last[0]) and torch.equal(cell, last[1])


def test_new_weights_are_drawn_as_bilm_tf_draws_them() -> None:
    """Biases are 0 and 1 for the forget gate, and matrices are uniform in Glorot's bounds."""
    torch.manual_seed(0)
    lstm = ProjectedLstm(ElmoOptions(((1, 4),), projection_dim=16, cell_size=32, num_layers=1))
    assert lstm.bias.tolist() == [0.0] * 32 + [1.0] * 32 + [0.0] * 64
    bound = (6 / (2 * 16 + 4 * 32)) ** 0.5
    for matrix in (lstm.weight_ih, lstm.weight_hh):
        assert 0.95 * bound < matrix.abs().max() <= bound
    assert 0.95 * (6 / 48) ** 0.5 < lstm.weight_hr.abs().max() <= (6 / 48) ** 0.5
