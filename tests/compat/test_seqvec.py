"""SeqVecEmbedder of bio_embeddings, beside AllenNLP's own biLM run as bio_embeddings runs it."""

from pathlib import Path
from typing import Any, List
from unittest.mock import patch

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import _ElmoBiLm as BuiltInBilm
from allennlp.modules.elmo import batch_to_ids as built_in_batch_to_ids

from allennlp_elmo_plugin.compat.seqvec import WARM_UP_SEQUENCE, SeqVecEmbedder
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from tests.support.elmo_files import ElmoFiles, write_elmo_files

PROTEINS = ["MKV", "ACDEFGH", "M", "KKLLA", "ACDEFGHIKLM", "MV"]


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), seed=9)


class _BuiltIn:
    """AllenNLP's own class after the warm-up sequence."""

    def __init__(self, files: ElmoFiles, warmup_rounds: int = 4) -> None:
        self.bilm = BuiltInBilm(*files)
        for _ in range(warmup_rounds):
            self.batch([WARM_UP_SEQUENCE])

    def batch(self, proteins: List[str]) -> List[numpy.ndarray]:
        layers = self.bilm(built_in_batch_to_ids([list(each) for each in proteins]))["activations"]
        stacked = torch.stack(layers, dim=1).detach().numpy()
        return [array[:, 1 : len(each) + 1] for array, each in zip(stacked, proteins)]


def _embedder(files: ElmoFiles, **options: Any) -> SeqVecEmbedder:
    paths = {"weights_file": files.weight_file, "options_file": files.options_file}
    return SeqVecEmbedder(**{**paths, "device": "cpu", **options})


def _assert_close(found: Any, expected: Any) -> None:
    found, expected = list(found), list(expected)
    assert [array.shape for array in found] == [array.shape for array in expected]
    for one, other in zip(found, expected):
        numpy.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"warmup_rounds": 0}])
def test_calls_give_the_numbers_of_the_built_in_one_after_another(
    files: ElmoFiles, options: Any
) -> None:
    """The warm-up sequence is read first, and each batch goes on from the one before."""
    embedder, built_in = _embedder(files, **options), _BuiltIn(files, **options)
    _assert_close([embedder.embed(PROTEINS[0])], built_in.batch(PROTEINS[:1]))
    _assert_close(embedder.embed_batch(PROTEINS), built_in.batch(PROTEINS))
    _assert_close(embedder.embed_many(PROTEINS[:2]), [built_in.batch([p])[0] for p in PROTEINS[:2]])
    batches = [PROTEINS[:1], PROTEINS[1:3], PROTEINS[3:4], PROTEINS[4:5], PROTEINS[5:]]
    expected = [array for batch in batches for array in built_in.batch(batch)]
    _assert_close(embedder.embed_many(iter(PROTEINS), batch_size=9), expected)


def test_proteins_come_in_their_order(files: ElmoFiles) -> None:
    """So it is with a protein that is longer than a batch, or exactly as long."""
    embedder = _embedder(files, initial_state="zero")
    for batch_size in (3, 5, 11):
        found = list(embedder.embed_many(PROTEINS, batch_size))
        assert [array.shape[1] for array in found] == list(map(len, PROTEINS))
    assert list(embedder.embed_many([])) == list(embedder.embed_batch([])) == []


def test_warm_gives_a_protein_the_same_vectors(files: ElmoFiles) -> None:
    """The state is the one to which the biLM converges on the warm-up sequence."""
    embedder = _embedder(files, initial_state="warm")
    first = embedder.embed(PROTEINS[1])
    _assert_close([list(embedder.embed_many(PROTEINS, 10))[1]], [first])
    many_rounds = _embedder(files, warmup_rounds=20)
    _assert_close([many_rounds.embed(PROTEINS[1])], [first])


def test_what_does_not_fit_on_the_gpu_runs_on_the_cpu(
    files: ElmoFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch runs one by one first. The model on the CPU is warm as well."""
    embedder, on_cpu = _embedder(files), _BuiltIn(files)
    expected = _BuiltIn(files)
    # Stands for a GPU on which a long protein does not fit.
    embedder._device = torch.device("meta")
    gpu, embed = embedder._extractor, ElmoExtractor.run_window

    def run_window(self: ElmoExtractor, window: Any) -> Any:
        if self is gpu and sum(map(len, window)) > 7:
            raise RuntimeError("CUDA out of memory.\nMore")
        return embed(self, window)

    with patch.object(ElmoExtractor, "run_window", run_window):
        found = list(embedder.embed_batch(PROTEINS))
    long = [protein for protein in PROTEINS if len(protein) > 7]
    in_turn = {each: (on_cpu if each in long else expected).batch([each])[0] for each in PROTEINS}
    _assert_close(found, [in_turn[each] for each in PROTEINS])
    assert "6 proteins one by one, since: CUDA out of memory." in caplog.text
    assert "11 residues on the CPU" in caplog.text


def test_an_error_on_the_cpu_is_one(files: ElmoFiles) -> None:
    """Nothing is left to try there."""
    embedder = _embedder(files)
    with patch.object(ElmoExtractor, "run_window", side_effect=RuntimeError("broken")):
        pytest.raises(RuntimeError, embedder.embed, "MK").match("broken")


def test_a_protein_is_reduced_to_the_mean_of_the_summed_layers() -> None:
    """It works without a model."""
    layers = numpy.arange(12.0).reshape(3, 2, 2)
    assert SeqVecEmbedder.reduce_per_protein(layers).tolist() == [15.0, 18.0]


def test_sizes_are_those_of_the_model(files: ElmoFiles) -> None:
    """The class has those of SeqVec. A folder can hold both files."""
    assert (SeqVecEmbedder.name, SeqVecEmbedder.embedding_dimension) == ("seqvec", 1024)
    assert SeqVecEmbedder.number_of_layers == 3
    folder = Path(files.options_file).parent
    embedder = SeqVecEmbedder(model_directory=folder, device="cpu")
    assert (embedder.embedding_dimension, embedder.number_of_layers) == (16, 3)
    _assert_close([embedder.embed("MK")], [_embedder(files).embed("MK")])


def test_one_file_alone_is_an_error() -> None:
    """The error names both."""
    with pytest.raises(ConfigurationError, match="both 'weights_file' and 'options_file'"):
        SeqVecEmbedder(weights_file="weights.hdf5")
