"""The biLM behind the embedder: layers that are not run, and weights from nowhere."""

from pathlib import Path
from typing import Any, List, Optional

import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import batch_to_ids
from allennlp.modules.token_embedders.elmo_token_embedder import (
    ElmoTokenEmbedder as BuiltInEmbedder,
)

from allennlp_elmo_plugin import (
    BilmEncoder,
    ElmoTokenEmbedder,
    LruWordCache,
    NoWordCache,
    ScalarMix,
    WarmState,
    ZeroState,
)
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files

BATCHES = [
    batch_to_ids([["the", "cat", "sat"], ["it"]]),
    batch_to_ids([["rain"], ["on", "the", "roof"], ["again", "!"]]),
]


@pytest.fixture(scope="module", name="files", params=["plain", "kernels"])
def _files(request: Any, tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    sizes = {"projection_dim": 16, "cell_size": 32} if request.param == "kernels" else {}
    folder = tmp_path_factory.mktemp(request.param)
    return write_elmo_files(folder, elmo_options(n_layers=3, **sizes), seed=7)


def _mix(**params: Any) -> Lazy[ScalarMix]:
    return Lazy(ScalarMix, Params({"type": "fixed", **params}))


def _layers_run(module: torch.nn.Module) -> List[int]:
    """Fills with the number of each LSTM layer whose weights are looked at."""
    run: List[int] = []
    bilm: Any = module
    for number, layer in enumerate(bilm.lstm.layers, start=1):
        for lstm in layer.values():
            assert isinstance(lstm, ProjectedLstm)
            lstm.choose_kernels_for = _noting(lstm.choose_kernels_for, run, number)  # type: ignore
    return run


def _noting(method: Any, run: List[int], number: int) -> Any:
    def noting(*arguments: Any) -> Any:
        run.append(number)
        return method(*arguments)

    return noting


@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_layers_behind_the_one_that_is_read_are_not_run(files: ElmoFiles, layer: int) -> None:
    """A mix of one layer runs that and those below it, and gives AllenNLP's vectors."""
    weights = [float(k == layer) * 9e10 for k in range(4)]
    theirs = BuiltInEmbedder(*files, dropout=0.0, scalar_mix_parameters=weights)
    ours = ElmoTokenEmbedder(*files, dropout=0.0, scalar_mix=_mix(layers=layer))
    run = _layers_run(ours._encoder.bilm)
    for batch in BATCHES:
        with torch.no_grad():
            assert (ours(batch) - theirs(batch)).abs().max() < 1e-5
    assert set(run) == set(range(1, layer + 1))


@pytest.mark.parametrize("num_representations", [1, 2, 3, 4, None])
def test_fewer_layers_are_the_first_of_all(
    files: ElmoFiles, num_representations: Optional[int]
) -> None:
    """What is asked for is what all layers begin with, over batches that carry state."""
    some, all_layers = (BilmEncoder.from_files(*files) for _ in range(2))
    for batch in BATCHES:
        layers = some(batch, num_representations=num_representations).layers
        expected = all_layers(batch).layers[:num_representations]
        assert torch.allclose(layers, expected, atol=1e-6)


def test_a_layer_that_is_not_run_keeps_its_state(files: ElmoFiles) -> None:
    """A batch that needs fewer layers leaves the others where the last batch left them."""
    encoder = BilmEncoder.from_files(*files)
    encoder(BATCHES[0])
    before: Any = encoder.initial_state
    before = before._remembered
    encoder(BATCHES[0], num_representations=2)
    after: Any = encoder.initial_state
    after = after._remembered
    for old, new in zip(before, after):
        assert torch.equal(old[:, 1:], new[:, 1:])
        assert not torch.equal(old[:, :1], new[:, :1])


def test_trained_layers_that_are_not_run_get_gradients_of_zero(files: ElmoFiles) -> None:
    """Optimizers and distributed training find the gradients that the built-in would give."""
    weights = [-9e10, 1.0, -9e10, -9e10]
    theirs = BuiltInEmbedder(*files, dropout=0.0, requires_grad=True, scalar_mix_parameters=weights)
    ours = ElmoTokenEmbedder(*files, dropout=0.0, requires_grad=True, scalar_mix=_mix(layers=1))
    for side in (ours, theirs):
        side(BATCHES[0]).pow(2).sum().backward()
    expected = {
        name: parameter.grad
        for name, parameter in theirs.named_parameters()
        if parameter.requires_grad
    }
    for builtin_name, name in ours._builtin_names().items():
        if builtin_name in expected:
            found = ours.get_parameter(name).grad
            assert found is not None
            assert torch.allclose(found, expected[builtin_name], atol=1e-4), name


def test_the_digest_is_that_of_what_shapes_the_layers(files: ElmoFiles, tmp_path: Path) -> None:
    """Word caches leave it as it is; other weights, options and initial states do not."""
    other_weights = write_elmo_files(tmp_path / "weights", elmo_options(n_layers=3), seed=8)
    other_clip = write_elmo_files(
        tmp_path / "clip", elmo_options(n_layers=3, cell_clip=0.1), seed=8
    )
    encoders = [
        BilmEncoder.from_files(*files, initial_state=ZeroState(), word_cache=NoWordCache()),
        BilmEncoder.from_files(*files, initial_state=WarmState()),
        BilmEncoder.from_files(*files, initial_state=WarmState(["Other words ."])),
        BilmEncoder.from_files(*other_weights, initial_state=ZeroState()),
        BilmEncoder.from_files(*other_clip, initial_state=ZeroState()),
    ]
    digests = [encoder.digest() for encoder in encoders]
    assert len(set(digests)) == len(encoders)
    twin = BilmEncoder.from_files(*files, initial_state=ZeroState(), word_cache=LruWordCache())
    twin(BATCHES[0])
    assert twin.digest() == digests[0]
    with torch.no_grad():
        twin.bilm.lstm.get_parameter("layers.0.forward_lstm.bias").add_(0.1)
    assert twin.digest() != digests[0]


def test_weights_from_nowhere_are_told_at_the_first_use(tmp_path: Path) -> None:
    """An encoder built for an archive's weights that never came names the file."""
    files = write_elmo_files(tmp_path / "elmo", seed=9)
    archive = tmp_path / "archive"
    archive.mkdir()
    saved = BilmEncoder.from_files(*files).state_dict()
    torch.save(
        {f"model._encoder.{key}": value for key, value in saved.items()}, archive / "weights.th"
    )
    for file in files:
        Path(file).unlink()
    encoder = BilmEncoder.from_files(*files, serialization_dir=str(archive))
    with pytest.raises(ConfigurationError, match=f"no weights.*'weight_file' '{files[1]}'"):
        encoder(BATCHES[0])
    encoder.load_state_dict(
        {key: value for key, value in saved.items() if "lstm" in key}, strict=False
    )
    with pytest.raises(ConfigurationError, match="no weights"):
        encoder(BATCHES[0])
    encoder.load_state_dict(saved)
    assert encoder(BATCHES[0]).layers.isfinite().all()


def test_a_file_that_is_missing_outside_an_archive_is_told_at_once(tmp_path: Path) -> None:
    """A folder of a training without weights is no reason to go on without the file."""
    with pytest.raises(ConfigurationError, match="'options_file' names 'nowhere'"):
        BilmEncoder.from_files("nowhere", "nowhere", serialization_dir=str(tmp_path))
