"""A biLM in each precision, from its files to the embedder's vectors."""

from pathlib import Path
from typing import Any, Callable, Iterator, List

import h5py
import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import BilmEncoder, ElmoBilm, ElmoEncoder, ElmoOptions
from allennlp_elmo_plugin.kernels import PRECISIONS, available_kernels, use_kernels
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.network.layers import all_layers
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.kernels import CAPABILITIES
from tests.support.oracle import Oracle, RowState, carry_states, mix_without_boundaries
from tests.support.sentences import spell, word_ids
from tests.support.words import random_batches

LOW_PRECISIONS = ["bfloat16", "int8"]
TOLERANCE = 1e-5
MIX = "_elmo.scalar_mix_0."

SMALLEST_COSINE = {"float32": 1 - 1e-6, "bfloat16": 0.999, "int8": 0.99}

BATCHES = random_batches(5, [[3, 0, 7, 1], [2, 5], [1, 4, 2, 6, 3]])


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    options = elmo_options(
        filters=[(1, 16), (2, 32), (3, 48)], char_dim=8, projection_dim=48, cell_size=80
    )
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), options, seed=7)


def _vectors(module: torch.nn.Module) -> List[torch.Tensor]:
    """Returns the vectors of all batches, between which states are carried."""
    with torch.no_grad():
        return [module(spell(*batch)) for batch in BATCHES]


@pytest.fixture(name="exact", scope="module")
def _exact(files: ElmoFiles) -> List[numpy.ndarray]:
    """Computes the vectors of all batches in float64."""
    oracle, vectors = Oracle(*files), []
    states: List[RowState] = []
    for batch in BATCHES:
        result = oracle.batch_layers(batch, states)
        states = carry_states(states, result.states)
        vectors.append(mix_without_boundaries(result))
    return vectors


@pytest.mark.parametrize("capability", available_kernels())
def test_float32_is_exact(files: ElmoFiles, exact: List[numpy.ndarray], capability: str) -> None:
    """With any kernels, vectors are those of an oracle in float64, batch after batch."""
    with use_kernels(capability):
        got = _vectors(embedder(files).eval())
    for vectors, expected in zip(got, exact):
        assert vectors.shape == expected.shape
        assert numpy.abs(vectors.numpy() - expected).max() < TOLERANCE


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", available_kernels())
def test_vectors_point_where_they_do_in_float32(
    files: ElmoFiles, exact: List[numpy.ndarray], capability: str, precision: str
) -> None:
    """Every vector is float32, and its cosine to the exact one is near 1."""
    with use_kernels(capability):
        got = _vectors(embedder(files, encoder={"precision": precision}).eval())
    for batch, vectors, expected in zip(BATCHES, got, exact):
        assert vectors.dtype == torch.float32
        for row, sentence in enumerate(batch):
            left = vectors[row, : len(sentence)].double()
            right = torch.from_numpy(expected[row, : len(sentence)])
            cosines = torch.nn.functional.cosine_similarity(left, right, dim=-1)
            assert (cosines > SMALLEST_COSINE[precision]).all()


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
@pytest.mark.parametrize("capability", available_kernels())
def test_a_reduced_precision_is_used(
    files: ElmoFiles, exact: List[numpy.ndarray], capability: str, precision: str
) -> None:
    """The vectors differ from those of float32, so the test above does see the rounding."""
    with use_kernels(capability):
        got = _vectors(embedder(files, encoder={"precision": precision}).eval())
    for vectors, expected in zip(got, exact):
        assert 1e-3 < numpy.abs(vectors.numpy() - expected).max() < 0.5


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", available_kernels())
def test_padding_is_zero(files: ElmoFiles, capability: str, precision: str) -> None:
    """Behind a sentence and its boundaries, every layer is exactly 0, and nothing else is."""
    encoder = ElmoEncoder.from_params(
        Params({"type": "bilm", "precision": precision, **files._asdict()})
    )
    with use_kernels(capability), torch.no_grad():
        layers, mask = encoder(SentenceBatch.from_padded(spell(*BATCHES[0]), 50))
    assert mask.sum(dim=1).tolist() == [len(sentence) + 2 for sentence in BATCHES[0]]
    assert layers.isfinite().all()
    assert torch.equal(layers.ne(0).any(dim=-1), mask.expand(len(layers), -1, -1))


@pytest.fixture(name="threads")
def _threads() -> Iterator[None]:
    """Restores the number of threads after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_sentence_alone_has_the_vectors_it_has_in_a_batch(
    files: ElmoFiles, capability: str, precision: str, threads: None
) -> None:
    """A sentence from zeros has the same bits alone and in a batch, with one thread or two."""
    module = embedder(files, encoder={"precision": precision, "initial_state": "zero"}).eval()
    with use_kernels(capability), torch.no_grad():
        for batch in BATCHES:
            torch.set_num_threads(1)
            together = module(spell(*batch))
            torch.set_num_threads(2)
            for row, sentence in enumerate(batch):
                alone = module(spell(sentence))
                assert torch.equal(alone[0], together[row, : len(sentence)])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_cached_words_have_the_same_vectors(files: ElmoFiles, precision: str) -> None:
    """A word cache computes its vectors in the precision of the biLM."""
    config = {"precision": precision, "initial_state": "zero"}
    words, sentence = ["@@PADDING@@", "@@UNKNOWN@@", "house", "cat"], "house cat dog"
    ids = spell(sentence)
    with torch.no_grad():
        expected = embedder(files, encoder=config)(ids)
        with_cache = embedder(files, encoder=config, vocab_to_cache=words)
        cached = with_cache(ids, word_ids(words, sentence))
    assert torch.allclose(cached, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_rounding_while_reading_is_rounding_afterwards(files: ElmoFiles, precision: str) -> None:
    """Both ways to reduce the precision give the same weights and layers to the bit."""
    bilm = ElmoBilm.from_files(*files).requires_grad_(False)
    bilm.reduce_precision(precision)
    read = ElmoBilm.from_files(*files, precision=precision).requires_grad_(False)
    assert read.precision == bilm.precision == precision
    assert list(read.state_dict()) == list(bilm.state_dict())
    for name, weight in bilm.state_dict().items():
        assert torch.equal(read.state_dict()[name], weight), name
    assert torch.equal(all_layers(read), all_layers(bilm))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_older_torch_reads_the_same(
    files: ElmoFiles, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors are copied by versions of torch that cannot assign them as they are."""
    expected = all_layers(ElmoBilm.from_files(*files, precision=precision).requires_grad_(False))
    load = ElmoBilm.load_state_dict

    def older(self: ElmoBilm, state_dict: Any, strict: bool = True) -> Any:
        return load(self, state_dict, strict)

    monkeypatch.setattr(ElmoBilm, "load_state_dict", older)
    bilm = ElmoBilm.from_files(*files, precision=precision).requires_grad_(False)
    assert torch.equal(all_layers(bilm), expected)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_written_folder_is_rounded_and_reads_back(
    files: ElmoFiles, tmp_path: Path, precision: str
) -> None:
    """A folder from a rounded biLM holds float32 numbers, which any precision reads."""
    bilm = ElmoBilm.from_files(*files, precision=precision)
    bilm.to_folder(tmp_path)
    with h5py.File(tmp_path / "weights.hdf5", "r") as file:
        assert file["CNN_proj/W_proj"].dtype == numpy.float32
    restored, state = ElmoBilm.from_files(tmp_path, tmp_path), bilm.state_dict()
    assert restored.precision == "float32"
    for name, weight in restored.state_dict().items():
        # The file keeps the forget gate's bias less 1.
        assert torch.allclose(weight, state[name], rtol=0, atol=1.2e-7), name
        assert torch.equal(weight, state[name]) or name.endswith("bias"), name
    again = ElmoBilm.from_files(tmp_path, tmp_path, precision).state_dict()
    for name, weight in state.items():
        assert torch.allclose(again[name], weight, rtol=2e-7, atol=1.2e-7), name


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_rounded_bilm_is_not_trained(files: ElmoFiles, precision: str) -> None:
    """The error says why a rounded biLM cannot be trained, and what to do instead."""
    with pytest.raises(ConfigurationError, match="'requires_grad'.*'float32'") as error:
        BilmEncoder.from_files(*files, requires_grad=True, precision=precision)
    assert f"precision '{precision}'" in str(error.value) and "rounded" in str(error.value)


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_rounded_bilm_is_not_trained_by_a_config(files: ElmoFiles, precision: str) -> None:
    """The embedder's 'requires_grad' is refused as well."""
    config = {"requires_grad": True, "encoder": {"type": "bilm", "precision": precision}}
    config = {"type": "elmo_token_embedder", **files._asdict(), **config}
    with pytest.raises(ConfigurationError, match="'requires_grad'"):
        TokenEmbedder.from_params(Params(config))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_layers_around_a_rounded_bilm_are_trained(files: ElmoFiles, precision: str) -> None:
    """The mix and the projection get gradients, and the biLM gets none."""
    module = embedder(files, encoder={"precision": precision}, projection_dim=4)
    module(spell(*BATCHES[0])).sum().backward()
    trained = {name for name, p in module.named_parameters() if p.grad is not None}
    assert {"_projection.weight", MIX + "gamma", MIX + "scalar_parameters.0"} <= trained
    assert not any(name.startswith("_elmo._elmo_lstm") for name in trained)


@pytest.mark.parametrize(
    "build",
    [
        lambda files: ElmoBilm.from_files(
            files.options_file, files.weight_file, precision="float16"
        ),
        lambda files: BilmEncoder.from_files(
            files.options_file, files.weight_file, precision="float16"
        ),
        lambda files: embedder(files, encoder={"precision": "float16"}),
    ],
    ids=["bilm", "encoder", "embedder"],
)
def test_an_unknown_precision_is_refused(
    files: ElmoFiles, build: Callable[[ElmoFiles], torch.nn.Module]
) -> None:
    """The error lists the precisions, wherever an unknown one is named."""
    with pytest.raises(ConfigurationError, match="'float32', 'bfloat16', 'int8'.*got 'float16'"):
        build(files)


@pytest.mark.parametrize(
    "sizes",
    [
        {"filters": [(1, 16)], "projection_dim": 16, "cell_size": 24},
        {"filters": [(1, 16)], "projection_dim": 24, "cell_size": 16},
        {"filters": [(1, 24)], "projection_dim": 16, "cell_size": 16},
    ],
    ids=str,
)
@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_files_of_other_sizes_are_refused(tmp_path: Path, precision: str, sizes: Any) -> None:
    """The error names the precision that reads files of other sizes."""
    files = write_elmo_files(tmp_path, elmo_options(**sizes))
    with pytest.raises(ConfigurationError, match="multiples of 16.*Use the precision 'float32'"):
        ElmoBilm.from_files(*files, precision=precision)


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_other_numbers_of_filters_of_a_width_are_rounded(precision: str) -> None:
    """Only the sum of all filters has to be a multiple of 16: convolutions are not rounded."""
    torch.manual_seed(0)
    options = ElmoOptions(((1, 8), (2, 24)), projection_dim=16, cell_size=32, num_layers=1)
    bilm = ElmoBilm(options).requires_grad_(False)
    exact = all_layers(bilm)
    bilm.reduce_precision(precision)
    assert torch.allclose(all_layers(bilm), exact, rtol=0, atol=0.1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_state_dict_of_an_embedder_has_the_same_names(files: ElmoFiles, precision: str) -> None:
    """An archive of one precision is read in any other."""
    module = embedder(files, encoder={"precision": precision})
    expected = embedder(files).state_dict()
    assert set(module.state_dict()) == set(expected)
    module.load_state_dict(expected)
    fresh = embedder(files, encoder={"precision": precision})
    for left, right in zip(_vectors(module), _vectors(fresh)):
        assert torch.equal(left, right)


@pytest.mark.parametrize("precision", LOW_PRECISIONS)
def test_a_precision_is_reduced_once(files: ElmoFiles, precision: str) -> None:
    """A biLM of reduced precision refuses to be rounded again, and stays as it is."""
    bilm = ElmoBilm.from_files(*files, precision=precision)
    before = bilm.state_dict()
    with pytest.raises(ConfigurationError, match=f"'{precision}' already"):
        bilm.reduce_precision("bfloat16")
    assert all(torch.equal(tensor, before[name]) for name, tensor in bilm.state_dict().items())


def test_a_refused_precision_changes_nothing(tmp_path: Path) -> None:
    """A biLM whose sizes do not suit a precision keeps its parameters and its precision."""
    options = elmo_options(filters=[(1, 16)], projection_dim=16, cell_size=24)
    bilm = ElmoBilm.from_files(*write_elmo_files(tmp_path, options))
    names = [name for name, _ in bilm.named_parameters()]
    with pytest.raises(ConfigurationError, match="cell_size 24"):
        bilm.reduce_precision("int8")
    assert bilm.precision == "float32"
    assert [name for name, _ in bilm.named_parameters()] == names
