"""AllenNLP reads and writes the files of `torch.save` by the plugin's functions."""

import inspect
import os
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.nn import initializers, util
from allennlp.nn.initializers import PretrainedModelInitializer
from allennlp.nn.parallel import FairScaleFsdpWrappedModel
from allennlp.training import checkpointer, gradient_descent_trainer

from .experiment import config, train


class CodeInPickle:
    """An object that runs code where a pickle is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


READERS: Dict[str, Callable[[str], Any]] = {
    "read_state_dict": util.read_state_dict,
    "initializer": PretrainedModelInitializer,
    "shards": lambda path: FairScaleFsdpWrappedModel.consolidate_sharded_state([path]),
    "checkpoint": lambda path: checkpointer.torch.load(path, map_location="cpu"),
    "best weights": lambda path: gradient_descent_trainer.torch.load(path),
}


@pytest.mark.parametrize("read", list(READERS.values()), ids=list(READERS))
def test_a_damaged_file_is_named(tmp_path: Path, read: Callable[[str], Any]) -> None:
    """Each of AllenNLP's readers gives an error that names the file."""
    (tmp_path / "weights.th").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="weights.th', but it is empty"):
        read(str(tmp_path / "weights.th"))


@pytest.mark.skipif(
    "weights_only" not in inspect.signature(torch.load).parameters,
    reason="this version of torch runs what a pickle says",
)
@pytest.mark.parametrize("read", list(READERS.values()), ids=list(READERS))
def test_code_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any]
) -> None:
    """Each of AllenNLP's readers refuses objects that run code."""
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": CodeInPickle()}, "weights.th")
    with pytest.raises(ConfigurationError, match="weights.th', but it holds objects"):
        read("weights.th")
    assert os.listdir(tmp_path) == ["weights.th"]


def test_whole_files_are_read_as_before(tmp_path: Path) -> None:
    """Weights come back with their types and places."""
    weights = {"a.weight": torch.arange(6.0).view(2, 3).t(), "b": torch.ones(2).half()}
    torch.save(weights, tmp_path / "weights.th")
    for read in (util.read_state_dict, lambda path: PretrainedModelInitializer(path).weights):
        found = read(str(tmp_path / "weights.th"))
        assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_other_code_keeps_its_functions() -> None:
    """Only AllenNLP's modules get other functions, and everything else in them is PyTorch's."""
    assert torch.load.__module__ == "torch.serialization"
    for module in (util, initializers, gradient_descent_trainer):
        assert module.torch.load is not torch.load
        assert module.torch.Tensor is torch.Tensor
        assert module.torch.nn is torch.nn


def test_a_training_writes_no_file_twice(tmp_path: Path) -> None:
    """The best weights are a link to the checkpoint, as without the plugin."""
    train(config(tmp_path), tmp_path / "output")
    output = tmp_path / "output"
    assert (output / "best.th").samefile(output / "model_state_e2_b0.th")
    assert not [path for path in output.iterdir() if path.name.startswith(".")]
