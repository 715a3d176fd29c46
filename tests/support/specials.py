"""NaN and infinity in tensors, and the comparison of results that have some."""

from itertools import product
from typing import Dict, Tuple

import torch

from tests.support.lstm_cases import CLIPS, Case, Runner, leaves_of, random_case, results_of

__all__ = [
    "KINDS",
    "RESULTS",
    "SPOILED",
    "assert_same_specials",
    "spoil",
    "spoiled_case",
    "train_with_specials",
]

EXPONENT = 0x7F800000
LARGEST_PAYLOAD = 0x7FFFFF
SIGN = -(1 << 31)
# Payloads that rounding or arithmetic on the bits would turn into numbers or infinity.
PAYLOADS = (1, 0x7FFF, 0x8000, 0x400000, 0x7F8000, LARGEST_PAYLOAD)

WEIGHTS = ("input_linearity.weight", "state_linearity.weight", "state_projection.weight")
LEAVES = ("inputs", "first hidden", "first cell", *WEIGHTS, "state_linearity.bias")
KINDS = ("nan", "infinity")
EXCEPTION = ("state_projection.weight", "infinity")
SPOILED = [pair for pair in product(LEAVES, KINDS) if pair != EXCEPTION]
RESULTS = [*product(("outputs", "last hidden", "last cell"), KINDS)]


def spoil(tensor: torch.Tensor, kind: str, seed: int) -> torch.Tensor:
    """Returns a copy with one or two specials of a kind, "nan" or "infinity", in random places."""
    random = torch.Generator().manual_seed(seed)

    def draw(limit: int) -> int:
        return int(torch.randint(limit, (1,), generator=random))

    spoiled = tensor.detach().clone(memory_format=torch.contiguous_format)
    bits = spoiled.view(torch.int32).flatten()
    for _ in range(1 + draw(2)):
        special = EXPONENT
        if kind == "nan":
            special |= PAYLOADS[draw(len(PAYLOADS))] if draw(2) else 1 + draw(LARGEST_PAYLOAD)
        bits[draw(len(bits))] = special + SIGN * draw(2)
    assert not spoiled.isfinite().all()
    return spoiled


def assert_same_specials(
    left: Dict[str, torch.Tensor], right: Dict[str, torch.Tensor], tolerance: float
) -> None:
    """Asserts that NaN and infinities are the same, and all numbers close to each other."""
    assert list(left) == list(right)
    for name, expected in right.items():
        got = left[name]
        assert torch.equal(got.isnan(), expected.isnan()), f"NaN in {name}"
        assert torch.equal(got == torch.inf, expected == torch.inf), f"infinity in {name}"
        assert torch.equal(got == -torch.inf, expected == -torch.inf), f"-infinity in {name}"
        both = [part[expected.isfinite()] for part in (got, expected)]
        largest = max(1.0, float(both[1].abs().max())) if len(both[1]) else 1.0
        assert torch.allclose(*both, rtol=0, atol=tolerance * largest), name


def spoiled_case(
    leaf: str, kind: str, clips: str, seed: int, shape: Tuple[int, int] = (32, 48)
) -> Case:
    """Returns a random case with specials in one of its tensors."""
    case = random_case(shape, [4, 3, 1], CLIPS[clips], more_rows=1, seed=seed)
    if leaf not in LEAVES:
        return case
    spoiled = spoil(leaves_of(case)[leaf], kind, seed)
    hidden, cell = case.state
    if leaf == "inputs":
        return case._replace(inputs=spoiled)
    if leaf == "first hidden":
        return case._replace(state=(spoiled, cell))
    if leaf == "first cell":
        return case._replace(state=(hidden, spoiled))
    with torch.no_grad():
        dict(case.layer.named_parameters())[leaf].copy_(spoiled)
    return case


def train_with_specials(
    case: Case, run: Runner, spoiled: Tuple[str, str], seed: int
) -> Dict[str, torch.Tensor]:
    """Returns the results and all gradients, where the gradient of one result may be spoiled."""
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in leaves_of(case).items()}
    weights = dict(case.layer.named_parameters())
    wanted = {**leaves, **weights}
    state = (wanted["first hidden"], wanted["first cell"])
    results = results_of(*run(wanted["inputs"], case.batch_sizes, state))
    random = torch.Generator().manual_seed(seed)
    incoming = {
        name: torch.randn(part.shape, generator=random).to(part.device)
        for name, part in results.items()
    }
    name, kind = spoiled
    if name in incoming:
        incoming[name] = spoil(incoming[name], kind, seed)
    gradients = torch.autograd.grad(
        list(results.values()), list(wanted.values()), list(incoming.values())
    )
    named = {f"gradient of {name}": part for name, part in zip(wanted, gradients)}
    return {**{name: part.detach() for name, part in results.items()}, **named}
