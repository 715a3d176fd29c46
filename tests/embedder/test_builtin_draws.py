"""After an embedder is built, random generators are where AllenNLP's class leaves them."""

import pickle
import random
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy
import pytest
import torch
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, ElmoEncoder, ElmoTokenEmbedder
from tests.support.builtin import BuiltInEmbedder
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files
from tests.support.embedders import embedder

SHAPES: Dict[str, Dict[str, Any]] = {
    "defaults": {},
    "sizes of the kernels": {
        "filters": ((1, 16), (2, 16), (3, 32)),
        "cell_size": 48,
        "projection_dim": 16,
    },
    "no highway, three layers": {"n_highway": 0, "n_layers": 3},
    "two highways, one layer": {"n_highway": 2, "n_layers": 1},
    "three highways": {"n_highway": 3},
    "odd sizes": {
        "filters": ((1, 3), (3, 1), (7, 5)),
        "char_dim": 3,
        "cell_size": 13,
        "projection_dim": 7,
    },
    "an even number of draws": {"filters": ((1, 2),), "char_dim": 1, "n_highway": 0},
    "matrices of one element": {"filters": ((1, 1),), "cell_size": 1, "projection_dim": 1},
    "matrices of 15 elements": {"cell_size": 5, "projection_dim": 3},
    "matrices of 16 elements": {"cell_size": 8, "projection_dim": 2},
    "matrices of 17 elements": {"cell_size": 17, "projection_dim": 1},
    "fewer cells than outputs": {"cell_size": 5, "projection_dim": 9},
    "as many cells as outputs": {"cell_size": 8, "projection_dim": 8},
    "many draws": {"cell_size": 257, "projection_dim": 131, "n_layers": 1},
}

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "defaults": {},
    "projection": {"projection_dim": 5},
    "word list": {"vocab_to_cache": ["@@PADDING@@", "the", "rain"]},
    "trained, projected": {"requires_grad": True, "projection_dim": 5, "do_layer_norm": True},
    "fixed mix": {"scalar_mix_parameters": [0.5, 1.0, -1.0], "projection_dim": 5},
}

COMPONENTS: Dict[str, Dict[str, Any]] = {
    "warm": {"encoder": {"type": "bilm", "initial_state": {"type": "warm"}}},
    "zero": {"encoder": {"type": "bilm", "initial_state": {"type": "zero"}}},
    "bfloat16": {"encoder": {"type": "bilm", "precision": "bfloat16"}},
    "int8": {"encoder": {"type": "bilm", "precision": "int8"}},
    "no word cache": {"word_cache": {"type": "none"}},
    "sentence boundaries": {"keep_sentence_boundaries": True},
}

REFUSED: Dict[str, Dict[str, Any]] = {
    "no skip connections": {"use_skip_connections": False},
    "no state projection": {"cell_size": 8, "with_state_projection": False},
    "no word projection": {"projection_dim": 18, "with_word_projection": False},
}


def states_after(build: Callable[[], Any], used: int = 0) -> List[bytes]:
    """
    Returns the states of all random generators after an object was built.

    Before, PyTorch's has drawn `used` numbers. It keeps one for the next time if `used` is odd.
    """
    torch.manual_seed(17)
    numpy.random.seed(18)
    random.seed(19)
    torch.randn(used)
    build()
    return [
        torch.get_rng_state().numpy().tobytes(),
        pickle.dumps(numpy.random.get_state()),
        pickle.dumps(random.getstate()),
    ]


def nothing() -> None:
    """Builds nothing."""


@pytest.mark.parametrize("used", [0, 1])
@pytest.mark.parametrize("name", list(SHAPES))
def test_generators_are_where_the_built_in_leaves_them_for_any_shape(
    tmp_path: Path, name: str, used: int
) -> None:
    """The states are the built-in's to the bit, also if a number was kept for the next time."""
    options = elmo_options(**SHAPES[name])
    arrays = elmo_arrays(options, with_state_projection=True)
    files = write_elmo_files(tmp_path, options, arrays)
    expected = states_after(lambda: BuiltInEmbedder(*files), used)
    assert expected != states_after(nothing, used)
    assert states_after(lambda: ElmoTokenEmbedder(*files), used) == expected


@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_generators_are_where_the_built_in_leaves_them_for_any_arguments(
    tmp_path: Path, name: str
) -> None:
    """The states are the built-in's with each of its parameters, and so is the projection."""
    files, arguments = write_elmo_files(tmp_path), ARGUMENTS[name]
    built: Dict[Any, Any] = {}

    def build(side: Any) -> List[bytes]:
        return states_after(lambda: built.update({side: side(*files, **arguments)}))

    assert build(ElmoTokenEmbedder) == build(BuiltInEmbedder)
    if "projection_dim" in arguments:
        ours, theirs = (side.state_dict() for side in built.values())
        assert torch.equal(ours["_projection.weight"], theirs["_projection.weight"])
        assert torch.equal(ours["_projection.bias"], theirs["_projection.bias"])


@pytest.mark.parametrize("name", list(COMPONENTS))
def test_components_draw_nothing(tmp_path: Path, name: str) -> None:
    """With components that the built-in lacks, the states are still the built-in's."""
    files = write_elmo_files(tmp_path, elmo_options(**SHAPES["sizes of the kernels"]))
    expected = states_after(lambda: BuiltInEmbedder(*files))
    assert states_after(lambda: embedder(files, **COMPONENTS[name])) == expected


@pytest.mark.parametrize("name", list(REFUSED))
def test_nothing_is_drawn_for_a_bilm_that_the_built_in_refuses(tmp_path: Path, name: str) -> None:
    """A biLM without skip connections, or without a projection, leaves the generators alone."""
    shape = dict(REFUSED[name])
    weights = {key: shape.pop(key) for key in list(shape) if key.startswith("with_")}
    options = elmo_options(**shape)
    files = write_elmo_files(tmp_path, options, elmo_arrays(options, **weights))
    with pytest.raises((ConfigurationError, KeyError)):
        BuiltInEmbedder(*files)
    assert states_after(lambda: ElmoTokenEmbedder(*files)) == states_after(nothing)


@pytest.mark.parametrize("files_are_gone", [False, True])
def test_nothing_is_drawn_for_an_archive(tmp_path: Path, files_are_gone: bool) -> None:
    """Loading an archive leaves the generators alone, with the biLM's files and without."""
    files = write_elmo_files(tmp_path / "elmo")
    archive = tmp_path / "archive"
    archive.mkdir()
    torch.save(ElmoTokenEmbedder(*files).state_dict(), archive / "weights.th")
    if files_are_gone:
        shutil.rmtree(tmp_path / "elmo")
    found = states_after(lambda: ElmoTokenEmbedder(*files, serialization_dir=str(archive)))
    assert found == states_after(nothing)


def test_nothing_is_drawn_for_objects_in_python(tmp_path: Path) -> None:
    """An embedder that is built from an encoder leaves the generators alone."""
    files = write_elmo_files(tmp_path)
    found = states_after(
        lambda: ElmoTokenEmbedder.from_parts(BilmEncoder.from_files(*files), dropout=0.5)
    )
    assert found == states_after(nothing)


def test_nothing_is_drawn_for_another_encoder(tmp_path: Path) -> None:
    """An encoder of one's own draws what it draws itself, and no more."""

    class OtherEncoder(ElmoEncoder):
        """An encoder that draws three numbers."""

        num_representations = 1

        def __init__(self, options_file: str, weight_file: str, **_: Any) -> None:
            super().__init__()
            torch.rand(3)

        def get_output_dim(self) -> int:
            return 1

    found = states_after(
        lambda: ElmoTokenEmbedder(*write_elmo_files(tmp_path), encoder=Lazy(OtherEncoder))
    )
    assert found == states_after(lambda: torch.rand(3))
