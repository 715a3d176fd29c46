"""Loading a biLM for an extraction."""

import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive

from allennlp_elmo_plugin import CarryState, WarmState, ZeroState
from allennlp_elmo_plugin.extraction import models
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.models import digest_of_weights, load_elmo
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.tagger_experiment import tagger, train

SENTENCES = [["the", "rain"], ["falls"]]
SIZES: Dict[str, Any] = {"filters": [(1, 4), (2, 12)], "projection_dim": 16, "cell_size": 32}


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), elmo_options(**SIZES), seed=3)


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The serialization directory of a tagger that was trained with its biLM and scalar mix."""
    folder = tmp_path_factory.mktemp("trained")
    encoder = {"initial_state": {"type": "warm", "sentences": ["falls the"], "repeats": 2}}
    train(tagger(folder, SIZES, requires_grad=True, encoder=encoder), folder / "output")
    return folder / "output"


def _vectors(*arguments: Any, **keywords: Any) -> Any:
    return ElmoExtractor(load_elmo(*arguments, **keywords).encoder).embed(SENTENCES)


def _assert_equal(found: Any, expected: Any) -> None:
    assert all((one == other).all() for one, other in zip(found, expected))


def test_the_files_may_be_in_a_folder_or_a_zip(files: ElmoFiles, tmp_path: Path) -> None:
    """A folder, a zip, a tar and the two files give the same vectors."""
    folder = Path(files.options_file).parent
    expected = _vectors(files.options_file, files.weight_file)
    with zipfile.ZipFile(tmp_path / "elmo.zip", "w") as zipped:
        for file in files:
            zipped.write(file, Path(file).name)
    with tarfile.open(tmp_path / "elmo.tar.gz", "w:gz") as tar:
        for file in files:
            tar.add(file, Path(file).name)
    for model in (folder, tmp_path / "elmo.zip", str(tmp_path / "elmo.tar.gz")):
        _assert_equal(_vectors(model), expected)


def test_an_archive_is_listed_once(
    files: ElmoFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a biLM was extracted from it before, an archive is known to be no trained model."""
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))
    archive = shutil.make_archive(str(tmp_path / "a"), "bztar", Path(files.options_file).parent)
    expected = _vectors(archive)
    monkeypatch.setattr(models, "archive_members", None)
    _assert_equal(_vectors(archive), expected)


def test_the_biLM_that_comes_along_has_a_name() -> None:
    """`pretrained:small` is a model."""
    assert load_elmo("pretrained:small").encoder.get_output_dim() == 256


@pytest.mark.parametrize("name", ["", "model.tar.gz"])
def test_a_trained_model_has_its_tuned_biLM_and_its_mix(trained: Path, name: str) -> None:
    """The vectors of the mix are those of the model itself, its converged state included."""
    loaded = load_elmo(trained / name)
    (mix,) = loaded.scalar_mixes
    found = ElmoExtractor(loaded.encoder, mix).embed(SENTENCES)
    _assert_equal(ElmoExtractor.load(trained / name, layers="mix").embed(SENTENCES), found)
    model = load_archive(str(trained / "model.tar.gz")).model
    embedder = model.text_field_embedder.token_embedder_elmo.eval()
    assert isinstance(embedder.encoder.initial_state, WarmState)
    again = ElmoExtractor(embedder.encoder, embedder.scalar_mix).embed(SENTENCES)
    _assert_equal(found, again)
    untrained = ElmoExtractor(load_elmo(trained.parent / "elmo").encoder, "average")
    assert abs(untrained.embed(SENTENCES)[0] - found[0]).max() > 1e-4


def test_a_warm_up_text_replaces_the_state_of_a_trained_model(trained: Path) -> None:
    """A text is read also where the model has a converged state."""
    kept, replaced = load_elmo(trained), load_elmo(trained, warm_up=["rain"])
    for loaded in (kept, replaced):
        ElmoExtractor(loaded.encoder).embed(SENTENCES)
    assert not torch.equal(kept.encoder.initial_state.hidden, replaced.encoder.initial_state.hidden)


@pytest.mark.parametrize(
    "name, expected", [("warm", WarmState), ("zero", ZeroState), ("carry", CarryState)]
)
def test_a_state_has_a_name_or_is_an_object(files: ElmoFiles, name: str, expected: type) -> None:
    """The three states by name, and any by an object."""
    folder = Path(files.options_file).parent
    assert type(load_elmo(folder, initial_state=name).encoder.initial_state) is expected
    state = ZeroState()
    assert load_elmo(folder, initial_state=state).encoder.initial_state is state


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_precision_holds_for_every_kind_of_model(
    files: ElmoFiles, trained: Path, precision: str
) -> None:
    """The matrices of a trained model are reduced as those of a file."""
    for model in (Path(files.options_file).parent, trained):
        assert load_elmo(model, precision=precision).encoder.bilm.precision == precision


def test_the_digest_tells_models_apart(files: ElmoFiles, trained: Path) -> None:
    """Other weights, another precision or mix: another digest. A converged state changes none."""
    folder = Path(files.options_file).parent
    loaded = load_elmo(trained)
    digests = [
        digest_of_weights(load_elmo(folder).encoder, None),
        digest_of_weights(load_elmo(folder, precision="int8").encoder, None),
        digest_of_weights(loaded.encoder, None),
        digest_of_weights(loaded.encoder, loaded.scalar_mixes[0]),
    ]
    assert len(set(digests)) == 4
    converged = load_elmo(folder)
    ElmoExtractor(converged.encoder).embed(SENTENCES)
    assert digest_of_weights(converged.encoder, None) == digests[0]


@pytest.mark.parametrize(
    "keywords, message",
    [
        ({"module": "a.module"}, "no trained model"),
        ({"initial_state": "zero", "warm_up": ["rain"]}, "Only 'warm' reads one"),
        ({"initial_state": "wram"}, "wram"),
        ({"precision": "float8"}, "float8"),
    ],
)
def test_arguments_that_mean_nothing_are_errors(
    files: ElmoFiles, keywords: Any, message: str
) -> None:
    """The error says what was found."""
    with pytest.raises(ConfigurationError, match=message):
        load_elmo(Path(files.options_file).parent, **keywords)


@pytest.mark.parametrize(
    "model", ["nowhere", "pretrained:large", "published:bioelmo", "empty", "empty!weights.hdf5"]
)
def test_a_missing_model_is_named_as_it_was_given(
    files: ElmoFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """The error says 'model' for a model, and 'options_file' where there is a weight file."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    for weight_file, name in ((None, "model"), (files.weight_file, "options_file")):
        with pytest.raises(ConfigurationError, match=f"'{name}' names '{model}'"):
            load_elmo(model, weight_file)


@pytest.mark.parametrize(
    "layers, names", [("mix_1", "mix_0, mix"), ("mixed", "mix_0, mix"), ("mix", "none")]
)
def test_a_mix_that_is_not_there_is_an_error(
    files: ElmoFiles, trained: Path, layers: str, names: str
) -> None:
    """The error lists the mixes of the model."""
    model = Path(files.options_file).parent if names == "none" else trained
    with pytest.raises(ConfigurationError, match=f"'{layers}', but .* are: {names}\\. Choose"):
        ElmoExtractor.load(model, layers=layers)


@pytest.mark.parametrize("device", ["cpu", -1, torch.device("cpu")])
def test_a_device_has_a_number_or_a_name(files: ElmoFiles, device: Any) -> None:
    """-1 is the CPU, as for AllenNLP."""
    extractor = ElmoExtractor.load(files.options_file, files.weight_file, device=device)
    assert extractor.embed(SENTENCES)[0].shape == (3, 2, 32)


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The error names the place."""
    with pytest.raises(ConfigurationError, match="nowhere"):
        load_elmo(tmp_path / "nowhere")


def test_a_model_of_elmoformanylangs_is_no_trained_model(tmp_path: Path) -> None:
    """Its `config.json` is not taken for that of an AllenNLP model."""
    for name in ("config.json", "encoder.pkl", "token_embedder.pkl"):
        (tmp_path / name).write_text("{}")
    shutil.make_archive(str(tmp_path.parent / "model"), "zip", tmp_path)
    assert not models._is_trained_model(tmp_path)
    assert not models._is_trained_model(tmp_path.parent / "model.zip")
