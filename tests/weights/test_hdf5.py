"""Reading and writing the weights of a biLM as an HDF5 file."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

import h5py
import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.network.spelling import spell_word
from allennlp_elmo_plugin.weights import WeightFile
from tests.support.builtin import BuiltInElmo
from tests.support.elmo_files import ElmoFiles, elmo_arrays, elmo_options, write_elmo_files
from tests.support.many_langs_files import write_many_langs

SHAPES: Dict[str, Dict[str, Any]] = {
    "published kind": {},
    "one layer, no highway": {"n_layers": 1, "n_highway": 0},
    "three layers, two highways": {"n_layers": 3, "n_highway": 2, "filters": [(1, 4), (3, 5)]},
    "no projection": {"cell_size": 8, "projection_dim": 8},
    "narrow words": {"max_characters": 20},
    "as many filters as dimensions": {"filters": [(1, 3), (2, 5)]},
}


def _bilm(**options: Any) -> ElmoBilm:
    torch.manual_seed(0)
    return ElmoBilm(ElmoOptions.from_dict(elmo_options(**options)))


@pytest.mark.parametrize(
    "projection, changes",
    [("state_projection", {"cell_size": 8}), ("word_projection", {"filters": [(1, 3), (2, 5)]})],
)
def test_a_projection_may_be_missing_where_sizes_are_equal(
    tmp_path: Path, projection: str, changes: Dict[str, Any]
) -> None:
    """bilm-tf omits a projection between equal sizes, and such files are read and written."""
    options = ElmoOptions.from_dict(elmo_options(**changes))
    bilm = _trained(ElmoBilm(replace(options, **{projection: False})))
    bilm.to_folder(tmp_path)
    restored = ElmoBilm.from_files(tmp_path, tmp_path)
    assert not getattr(restored.options, projection)
    words = torch.tensor([spell_word("cat")])
    assert torch.equal(restored.char_cnn(words), bilm.char_cnn(words))


def _trained(bilm: ElmoBilm) -> ElmoBilm:
    """Changes the weights of a biLM, as training would."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in bilm.named_parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
            if name.endswith("_char_embedding_weights"):
                parameter[0] = 0.0
    return bilm


@pytest.mark.parametrize("shape", list(SHAPES))
def test_written_weights_are_read_back_to_the_bit(tmp_path: Path, shape: str) -> None:
    """No parameter changes on its way through the file, forget biases included."""
    bilm = _trained(_bilm(**SHAPES[shape]))
    bilm.to_folder(tmp_path)
    restored = ElmoBilm.from_files(tmp_path, tmp_path)
    assert restored.options == bilm.options
    for name, parameter in bilm.state_dict().items():
        assert torch.equal(parameter, restored.state_dict()[name]), name


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "no projection"])
def test_the_builtin_reads_written_weights_to_the_bit(tmp_path: Path, shape: str) -> None:
    """AllenNLP's class has exactly the parameters that were written."""
    bilm = _trained(_bilm(**SHAPES[shape]))
    bilm.to_folder(tmp_path)
    builtin = BuiltInElmo(str(tmp_path / "options.json"), str(tmp_path / "weights.hdf5"), 1)
    builtin_state = builtin._elmo_lstm.state_dict()
    assert list(bilm.state_dict()) == list(builtin_state)
    for name, weight in bilm.state_dict().items():
        assert torch.equal(builtin_state[name], weight), name


def test_a_file_that_is_read_is_written_the_same(tmp_path: Path) -> None:
    """Datasets keep their names, types and bits; only the bias of an LSTM is rounded."""
    options = elmo_options()
    files = write_elmo_files(tmp_path / "given", options, elmo_arrays(options, seed=3))
    ElmoBilm.from_files(*files).to_folder(tmp_path / "written")
    with h5py.File(tmp_path / "written" / "weights.hdf5", "r") as written:
        for name, array in elmo_arrays(options, seed=3).items():
            assert written[name].dtype == array.dtype, name
            assert numpy.allclose(written[name][()], array, rtol=0, atol=1.2e-7), name
            if not name.endswith("/B"):
                assert numpy.array_equal(written[name][()], array), name


@pytest.mark.parametrize("dtype", [">f4", "<f8", "<f2"])
def test_numbers_of_other_types_are_read(tmp_path: Path, dtype: str) -> None:
    """Float types of any width and byte order become float32 parameters."""
    arrays = {
        name: array.astype("float16").astype(dtype)
        for name, array in elmo_arrays(elmo_options(), seed=4).items()
    }
    files = write_elmo_files(tmp_path, elmo_options(), arrays)
    state = ElmoBilm.from_files(*files).state_dict()
    expected = arrays["CNN_proj/b_proj"].astype("float32")
    assert numpy.array_equal(state["_token_embedder._projection.bias"].numpy(), expected)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}


def test_a_failed_write_leaves_the_existing_file(tmp_path: Path) -> None:
    """If a biLM cannot be written, the one on disk stays as it was."""
    bilm = _bilm()
    bilm.to_folder(tmp_path)
    before = (tmp_path / "weights.hdf5").read_bytes()
    bilm.options = ElmoOptions.from_dict(elmo_options(n_layers=3))
    with pytest.raises(KeyError):
        bilm.to_folder(tmp_path)
    assert (tmp_path / "weights.hdf5").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["options.json", "weights.hdf5"]


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> ElmoFiles:
    return write_elmo_files(tmp_path)


def test_one_error_lists_every_dataset_that_does_not_fit(files: ElmoFiles) -> None:
    """One message has all missing, mis-shaped and unexpected datasets with their shapes."""
    options = ElmoOptions.from_dict(
        elmo_options(projection_dim=9, filters=[(1, 4), (2, 6)], n_highway=2)
    )
    with pytest.raises(ConfigurationError) as error:
        WeightFile(files.weight_file, options)
    message = str(error.value)
    for part in (
        files.weight_file,
        "missing: CNN_high_1/W_carry, expected shape (10, 10)",
        "mis-shaped: CNN_proj/b_proj, expected (9,), got (8,)",
        "unexpected: CNN/W_cnn_2, shape (1, 3, 5, 8)",
    ):
        assert part in message


def test_a_file_with_more_layers_than_its_options_is_an_error(tmp_path: Path) -> None:
    """Layers that the options do not mention are not ignored."""
    files = write_elmo_files(tmp_path, elmo_options(n_layers=2))
    with pytest.raises(ConfigurationError, match="unexpected: RNN_0/RNN/MultiRNNCell/Cell1"):
        WeightFile(files.weight_file, ElmoOptions.from_dict(elmo_options(n_layers=1)))


def test_datasets_of_no_bilm_are_ignored_with_a_warning(
    files: ElmoFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """A softmax in the same file does not prevent loading, and the log names it."""
    with h5py.File(files.weight_file, "a") as file:
        file["softmax/W"] = numpy.zeros((3, 2), dtype="float32")
    WeightFile(files.weight_file, ElmoOptions.from_dict(elmo_options()))
    assert "softmax/W" in caplog.text


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_truncated_file_is_named(files: ElmoFiles, keep: int) -> None:
    """The error for an incomplete download names the file."""
    path = Path(files.weight_file)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ConfigurationError, match="cannot be read") as error:
        WeightFile(path, ElmoOptions.from_dict(elmo_options()))
    assert str(path) in str(error.value)


@pytest.fixture(name="with_dictionary")
def _with_dictionary(tmp_path: Path) -> ElmoBilm:
    path = write_many_langs(tmp_path / "model")
    return ElmoBilm.from_files(path, path)


def test_a_dictionary_is_in_the_weight_file(tmp_path: Path, with_dictionary: ElmoBilm) -> None:
    """The options and every bit of the weights survive, and none of the datasets is ignored."""
    with_dictionary.to_folder(tmp_path)
    restored = ElmoBilm.from_files(tmp_path, tmp_path)
    assert restored.options == with_dictionary.options
    expected = with_dictionary.state_dict()
    assert list(restored.state_dict()) == list(expected)
    for name, weight in restored.state_dict().items():
        assert torch.equal(weight, expected[name])


def test_nothing_of_a_dictionary_is_foreign(
    tmp_path: Path, with_dictionary: ElmoBilm, caplog: pytest.LogCaptureFixture
) -> None:
    """Reading such a file logs no warning of datasets that belong to no biLM."""
    with_dictionary.to_folder(tmp_path)
    ElmoBilm.from_files(tmp_path, tmp_path)
    assert "belong to no biLM" not in caplog.text


def test_allennlp_refuses_a_bilm_with_a_dictionary(
    tmp_path: Path, with_dictionary: ElmoBilm
) -> None:
    """AllenNLP's class, which knows no dictionary, fails instead of giving wrong vectors."""
    with_dictionary.to_folder(tmp_path)
    files = (str(tmp_path / "options.json"), str(tmp_path / "weights.hdf5"))
    with pytest.raises(KeyError, match="char_embed"):
        BuiltInElmo(*files, num_output_representations=1)


@pytest.mark.parametrize(
    "content, expected",
    [
        (None, r"'dictionary/words', cannot be read \(expected a text in UTF-8, got no dataset"),
        (numpy.zeros(3, "f4"), "expected numbers of type uint8, got floats"),
        (numpy.full(3, 255, "u1"), "dataset 'dictionary/words', cannot be read .*invalid start"),
        (numpy.zeros((0,), "u1"), "'dictionary/words', cannot be read .*never written"),
        (b"<oov>\nmore", "does not fit the options: .*num_words is 10, but the dictionary has 2"),
        (b"\n" * 9, "does not fit the options: .*lacks <oov>"),
    ],
    ids=["missing", "floats", "not UTF-8", "empty", "too few", "no unknown word"],
)
def test_a_wrong_dictionary_is_named(
    tmp_path: Path, with_dictionary: ElmoBilm, content: Any, expected: str
) -> None:
    """The error says which dataset is wrong, or that the dictionary belongs to other weights."""
    with_dictionary.to_folder(tmp_path)
    with h5py.File(tmp_path / "weights.hdf5", "a") as file:
        del file["dictionary/words"]
        if content is not None:
            text = isinstance(content, bytes)
            file["dictionary/words"] = numpy.frombuffer(content, "u1") if text else content
    with pytest.raises(ConfigurationError, match=f"(?s){expected}"):
        ElmoBilm.from_files(tmp_path, tmp_path)


def test_an_unexpected_parameter_is_named(tmp_path: Path, with_dictionary: ElmoBilm) -> None:
    """A parameter that the options do not have is an error, as a dataset of bilm-tf is."""
    with_dictionary.to_folder(tmp_path)
    with h5py.File(tmp_path / "weights.hdf5", "a") as file:
        file["parameters/_elmo_lstm.more"] = numpy.zeros(3, "f4")
    with pytest.raises(ConfigurationError, match=r"unexpected: parameters/_elmo_lstm\.more"):
        ElmoBilm.from_files(tmp_path, tmp_path)
