"""NumPy's numbers in checkpoints, and everything else that no checkpoint may contain."""

import io
import os
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, List

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.trainer import TrainerCheckpoint


class Sentinel:
    """A class that no checkpoint may contain."""


def torch_refuses_numpy() -> bool:
    """Returns `True` if `torch.load` reads weights only by default."""
    checkpoint = io.BytesIO()
    torch.save(numpy.float64(1.0), checkpoint)
    checkpoint.seek(0)
    try:
        torch.load(checkpoint)
    except UnpicklingError:
        return True
    return False


only_where_torch_refuses = pytest.mark.skipif(
    not torch_refuses_numpy(), reason="this torch.load reads every pickle"
)


def save(folder: Path, state: Any) -> Checkpointer:
    """Saves a checkpoint with an object in the trainer's state."""

    class Trainer:
        def get_checkpoint_state(self) -> TrainerCheckpoint:
            counts = {"epochs_completed": 1, "batches_in_epoch_completed": 0}
            return TrainerCheckpoint({}, {**counts, "state": state})

    checkpointer = Checkpointer(str(folder))
    checkpointer.save_checkpoint(Trainer())  # type: ignore[arg-type]
    return checkpointer


def load(checkpointer: Checkpointer) -> Any:
    """Loads the object that `save` put into the trainer's state."""
    checkpoint = checkpointer.load_checkpoint()
    assert checkpoint is not None
    return checkpoint.trainer_state["state"]


@pytest.mark.parametrize(
    "number",
    [
        numpy.bool_(True),
        numpy.int8(-7),
        numpy.int16(-300),
        numpy.int32(-70000),
        numpy.int64(-(2**40)),
        numpy.uint8(200),
        numpy.uint16(60000),
        numpy.uint32(2**31),
        numpy.uint64(2**63),
        numpy.float16(0.5),
        numpy.float32(0.1),
        numpy.float64(0.1),
        numpy.float64("nan"),
        numpy.float64("-inf"),
    ],
    ids=lambda number: f"{type(number).__name__}({number})",
)
def test_numpy_number_survives(tmp_path: Path, number: numpy.generic) -> None:
    """A NumPy number in the trainer's state is read back with the same type and bits."""
    loaded = load(save(tmp_path, {"best_so_far": number}))["best_so_far"]

    assert type(loaded) is type(number)
    assert loaded.tobytes() == number.tobytes()


@pytest.mark.parametrize("core", ["core", "_core"])
def test_checkpoint_of_other_numpy_loads(tmp_path: Path, core: str) -> None:
    """NumPy 1 and NumPy 2 give `scalar` different module names, and both are read."""
    if core == "_core" and not torch_refuses_numpy():
        pytest.skip("a torch.load that reads every pickle imports the name from NumPy")
    checkpointer = save(tmp_path, numpy.float64(0.25))
    path = tmp_path / "training_state_e1_b0.th"
    other = tmp_path / "other.th"
    with zipfile.ZipFile(str(path)) as old, zipfile.ZipFile(str(other), "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("data.pkl"):
                own = numpy.float64.__reduce__(numpy.float64(0.0))[0].__module__.encode()
                assert own + b"\nscalar\n" in data
                data = data.replace(own, f"numpy.{core}.multiarray".encode())
            new.writestr(name, data)
    other.replace(path)

    assert load(checkpointer) == 0.25


@only_where_torch_refuses
@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(Sentinel(), id="class"),
        pytest.param(os.system, id="function"),
        pytest.param(numpy.zeros(2), id="array"),
        pytest.param(numpy.str_("a"), id="text"),
        pytest.param(numpy.bytes_(b"a"), id="bytes"),
        pytest.param(numpy.datetime64("2020-01-01"), id="date"),
        pytest.param(numpy.complex64(1j), id="complex"),
        pytest.param(numpy.dtype("O"), id="type"),
        pytest.param(numpy.zeros(1, dtype=[("a", "f8")])[0], id="record"),
    ],
)
def test_everything_else_is_refused(tmp_path: Path, foreign: Any) -> None:
    """An object that is no number is refused, as without the patch."""
    checkpointer = save(tmp_path, foreign)

    with pytest.raises(ConfigurationError, match="training_state_e1_b0.th', but it holds objects"):
        checkpointer.load_checkpoint()


@only_where_torch_refuses
def test_torch_load_elsewhere_is_untouched(tmp_path: Path) -> None:
    """After a checkpoint is loaded, `torch.load` refuses NumPy numbers again."""
    load(save(tmp_path, numpy.float64(1.0)))

    assert torch_refuses_numpy()


@only_where_torch_refuses
def test_what_the_user_allowed_stays_allowed(tmp_path: Path) -> None:
    """Loading a checkpoint respects the user's own list of safe globals and leaves it as it was."""
    own: List[Any] = [Sentinel, numpy.dtype, type(numpy.dtype("f8"))]
    with torch.serialization.safe_globals(own):
        loaded = load(save(tmp_path, [Sentinel(), numpy.float64(1.5), numpy.dtype("f8")]))
        allowed = torch.serialization.get_safe_globals()

    assert isinstance(loaded[0], Sentinel)
    assert loaded[1:] == [1.5, numpy.dtype("f8")]
    assert set(own) <= set(allowed)
