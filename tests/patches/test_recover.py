"""The patch for `--recover`, and what it lets a checkpoint contain."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Dict, List, Optional

import numpy
import pytest
import torch
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.trainer import TrainerCheckpoint

from allennlp_elmo_plugin.patches.recover import patch_recover
from tests.support.paths import REPOSITORY

from .experiment import config, final_weights, interrupt, train

COSINE = {"type": "cosine", "t_initial": 4}


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
    "trainer",
    [
        pytest.param({"learning_rate_scheduler": COSINE}, id="cosine"),
        pytest.param(
            {"learning_rate_scheduler": {"type": "combined", "schedulers": [[4, COSINE]]}},
            id="combined",
        ),
        pytest.param(
            {
                "learning_rate_scheduler": {
                    "type": "reduce_on_plateau",
                    "mode": "max",
                    "patience": 0,
                    "threshold": 10,
                    "threshold_mode": "abs",
                    "verbose": True,
                },
                "validation_metric": "+accuracy",
            },
            id="reduce_on_plateau",
        ),
        pytest.param(
            {
                "learning_rate_scheduler": COSINE,
                "moving_average": {"type": "exponential", "decay": 0.9},
                "callbacks": ["tensorboard"],
            },
            id="moving_average",
        ),
    ],
)
def test_recovered_training_ends_where_it_would_have(
    tmp_path: Path, trainer: Dict[str, Any]
) -> None:
    """A training that is stopped after one epoch and recovered ends with the same weights."""
    experiment = config(tmp_path, **trainer)
    output = tmp_path / "output"
    train(experiment, output)
    expected = interrupt(output)

    train(experiment, output, recover=True)

    recovered = final_weights(output)
    assert recovered.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(recovered[name], weight, rtol=0, atol=0)


def test_finished_training_recovers(tmp_path: Path) -> None:
    """Recovering a finished training writes its archive again."""
    experiment = config(tmp_path, learning_rate_scheduler=COSINE)
    output = tmp_path / "output"
    train(experiment, output)
    (output / "model.tar.gz").unlink()

    train(experiment, output, recover=True)

    assert (output / "model.tar.gz").is_file()


def test_command_recovers(tmp_path: Path) -> None:
    """`allennlp train --recover` works in a process whose plugin applies the patches."""
    experiment = config(tmp_path, learning_rate_scheduler=COSINE)
    (tmp_path / "experiment.json").write_text(json.dumps(experiment), encoding="utf-8")
    (tmp_path / "patches_only.py").write_text(
        "from allennlp_elmo_plugin.patches import apply_patches\n\napply_patches()\n",
        encoding="utf-8",
    )
    (tmp_path / ".allennlp_plugins").write_text("patches_only\n", encoding="utf-8")
    # AllenNLP imports allennlp_models if it can, which takes longer than the training.
    (tmp_path / "allennlp_models.py").write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "allennlp", "train", "experiment.json", "-s", "output"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}

    def run(*options: str) -> None:
        finished = subprocess.run(
            [*command, *options],
            cwd=str(tmp_path),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert finished.returncode == 0, finished.stdout

    run()
    expected = interrupt(tmp_path / "output")
    run("--recover")
    recovered = final_weights(tmp_path / "output")
    for name, weight in expected.items():
        torch.testing.assert_close(recovered[name], weight, rtol=0, atol=0)


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

    with pytest.raises(UnpicklingError):
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


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    """For a folder without a checkpoint, `load_checkpoint` returns `None`."""
    checkpoint: Optional[TrainerCheckpoint] = Checkpointer(str(tmp_path)).load_checkpoint()

    assert checkpoint is None


def test_it_is_patched_only_where_needed() -> None:
    """`load_checkpoint` is AllenNLP's own where `torch.load` reads NumPy numbers."""
    assert hasattr(Checkpointer.load_checkpoint, "__wrapped__") is torch_refuses_numpy()


def test_patching_twice_changes_nothing() -> None:
    """A second call leaves the method that the first one put there."""
    method = Checkpointer.load_checkpoint

    patch_recover()

    assert Checkpointer.load_checkpoint is method
