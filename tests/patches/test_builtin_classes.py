"""AllenNLP's names and annotations mean the plugin's classes once it is loaded."""

import importlib
from typing import Optional, Type

import allennlp.modules
import pytest
from allennlp.common import FromParams, Params

import allennlp_elmo_plugin
from allennlp_elmo_plugin import Elmo
from allennlp_elmo_plugin.patches import redirect_from_params
from tests.support.builtin import BuiltInElmo, built_in
from tests.support.elmo_files import ElmoFiles, write_elmo_files


class _OldModel(FromParams):
    """A model that was defined before the plugin was loaded."""

    def __init__(self, elmo: Optional[BuiltInElmo] = None) -> None:  # type: ignore[valid-type]
        self.elmo = elmo


class _NewModel(FromParams):
    """A model that was defined afterwards."""

    def __init__(self, elmo: Elmo) -> None:
        self.elmo = elmo


class _OwnElmo(BuiltInElmo):  # type: ignore[misc,valid-type]
    """A subclass of AllenNLP's class that a user has written."""


@pytest.fixture(name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), seed=1)


def _params(files: ElmoFiles) -> Params:
    return Params({**files._asdict(), "num_output_representations": 2})


@pytest.mark.parametrize("name", ["allennlp.modules", "allennlp.modules.elmo"])
def test_the_name_means_the_class_of_the_plugin(name: str) -> None:
    """Code that imports `Elmo` from AllenNLP gets the plugin's, of which AllenNLP's is the base."""
    assert importlib.import_module(name).Elmo is Elmo
    assert allennlp.modules.Elmo.__bases__[0] is BuiltInElmo is not Elmo


@pytest.mark.parametrize("model", [_OldModel, _NewModel])
def test_a_config_builds_the_class_of_the_plugin(files: ElmoFiles, model: Type[FromParams]) -> None:
    """A model gets it whether its annotation is AllenNLP's class or the plugin's."""
    built = model.from_params(Params({"elmo": _params(files)}))
    assert type(built.elmo) is Elmo and len(built.elmo.scalar_mixes) == 2  # type: ignore
    with built_in():
        built = model.from_params(Params({"elmo": _params(files)}))
    assert type(built.elmo) is BuiltInElmo  # type: ignore[attr-defined]


def test_another_subclass_is_built_itself(files: ElmoFiles) -> None:
    """A subclass of somebody else's is left alone."""
    assert type(_OwnElmo.from_params(_params(files))) is _OwnElmo


def test_a_second_call_changes_nothing() -> None:
    """The redirection is made once."""
    first = vars(BuiltInElmo)["from_params"]
    redirect_from_params(allennlp_elmo_plugin.Elmo)
    assert vars(BuiltInElmo)["from_params"] is first
