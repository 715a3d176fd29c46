"""ElmoEmbedder of AllenNLP 0.9, beside AllenNLP's own biLM run as 0.9 ran it."""

import io
import json
import logging
import sys
from pathlib import Path
from typing import Any, Iterator, List

import allennlp.commands
import h5py
import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Token, Vocabulary
from allennlp.modules.elmo import _ElmoBiLm as BuiltInBilm
from allennlp.modules.elmo import batch_to_ids as built_in_batch_to_ids
from allennlp.nn.util import remove_sentence_boundaries

import allennlp_elmo_plugin
from allennlp_elmo_plugin.compat import elmo_embedder
from allennlp_elmo_plugin.compat.elmo_embedder import ElmoEmbedder, empty_embedding
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.oracle import Oracle

SENTENCES = [
    ["The", "rain", "falls", "."],
    ["a"],
    ["caf\u00e9", "\u96e8", "<S>", "over-" * 12],
    ["rain"] * 9,
    ["the", "end"],
]


@pytest.fixture(scope="module", name="files", params=["plain", "kernels", "three layers"])
def _files(request: Any, tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    sizes = {"plain": {}, "kernels": {"projection_dim": 16, "cell_size": 32}}
    options = elmo_options(**sizes.get(request.param, {"n_layers": 3}))
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), options, seed=5)


class _BuiltIn:
    """AllenNLP's own class, run as `ElmoEmbedder` of 0.9 ran it."""

    def __init__(self, files: ElmoFiles) -> None:
        self.bilm = BuiltInBilm(*files)

    def batch(self, sentences: List[List[str]]) -> List[numpy.ndarray]:
        output = self.bilm(built_in_batch_to_ids(sentences))
        layers = [
            remove_sentence_boundaries(each, output["mask"]) for each in output["activations"]
        ]
        stacked = torch.stack([layer for layer, _ in layers], dim=1).detach().numpy()
        return [array[:, : len(tokens)] for array, tokens in zip(stacked, sentences)]

    def file(self, sentences: List[List[str]], batch_size: int) -> Iterator[numpy.ndarray]:
        for start in range(0, len(sentences), batch_size):
            yield from self.batch(sentences[start : start + batch_size])


def _assert_close(found: Any, expected: Any) -> None:
    found, expected = list(found), list(expected)
    assert [array.shape for array in found] == [array.shape for array in expected]
    for one, other in zip(found, expected):
        numpy.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_the_methods_give_the_numbers_of_the_built_in_one_after_another(files: ElmoFiles) -> None:
    """Each call goes on from the state in which the one before ended."""
    ours, built_in = ElmoEmbedder(*files), _BuiltIn(files)
    _assert_close(ours.embed_batch(SENTENCES), built_in.batch(SENTENCES))
    _assert_close([ours.embed_sentence(SENTENCES[2])], built_in.batch([SENTENCES[2]]))
    _assert_close(ours.embed_sentences(SENTENCES, batch_size=2), built_in.file(SENTENCES, 2))
    activations, mask = ours.batch_to_embeddings(SENTENCES)
    expected = built_in.batch(SENTENCES)
    _assert_close([a[:, : len(e[0])].numpy() for a, e in zip(activations, expected)], expected)
    assert mask.dtype == torch.long and mask.sum(1).tolist() == [len(s) for s in SENTENCES]
    assert not activations.requires_grad and not activations.is_inference()


@pytest.mark.parametrize("output_format", ["all", "top", "average"])
def test_a_file_has_the_numbers_and_the_keys_of_0_9(
    files: ElmoFiles, tmp_path: Path, output_format: str
) -> None:
    """Code of users reads it: the table of sentences, and a dataset for each number."""
    path, output = tmp_path / "sentences.txt", tmp_path / "vectors"
    path.write_text("\n".join(map(" ".join, SENTENCES)) + "\n", encoding="utf-8")
    file = open(path, encoding="utf-8")  # noqa: SIM115
    ElmoEmbedder(*files).embed_file(file, output, output_format, batch_size=2)
    assert file.closed
    layers = list(_BuiltIn(files).file(SENTENCES, 2))
    mixes = {"all": layers, "top": [e[-1] for e in layers], "average": [e.mean(0) for e in layers]}
    with h5py.File(output, "r") as f:
        assert len(f) - 1 == len(SENTENCES)
        table = json.loads(f["sentence_to_index"][0])
        found = [f[table[" ".join(sentence)]][()] for sentence in SENTENCES]
        assert [f[str(number)][()].tolist() for number in range(len(f) - 1)] == [
            each.tolist() for each in found
        ]
    _assert_close(found, mixes[output_format])
    assert all(array.dtype == numpy.float32 for array in found)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["sentences.txt", "vectors"]


@pytest.mark.parametrize(
    "options, keys",
    [
        ({"forget_sentences": True}, ["0", "1"]),
        ({"use_sentence_keys": True}, ["a b", "c"]),
        ({}, ["0", "1", "sentence_to_index"]),
    ],
)
def test_the_table_of_sentences_can_be_left_out(
    files: ElmoFiles, tmp_path: Path, options: Any, keys: List[str]
) -> None:
    """The text comes from any file object."""
    ElmoEmbedder(*files).embed_file(io.StringIO("a b\nc\n"), tmp_path / "v.hdf5", **options)
    with h5py.File(tmp_path / "v.hdf5", "r") as file:
        assert sorted(file) == keys


def test_a_blank_line_is_an_error_that_leaves_nothing(files: ElmoFiles, tmp_path: Path) -> None:
    """The error lists the lines, counted from 0."""
    with pytest.raises(ConfigurationError, match="counted from 0.*: 1, 3"):
        ElmoEmbedder(*files).embed_file(io.StringIO("a\n\nb\n \n"), tmp_path / "v.hdf5")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_an_error(files: ElmoFiles, tmp_path: Path) -> None:
    """The error lists the formats."""
    with pytest.raises(ConfigurationError, match="all, top, average, got 'tob'"):
        ElmoEmbedder(*files).embed_file(io.StringIO("a\n"), tmp_path / "v.hdf5", "tob")


def test_an_empty_sentence_has_the_layers_and_the_size_of_the_model(files: ElmoFiles) -> None:
    """Alone it leaves the state as it is, as in 0.9."""
    ours, built_in = ElmoEmbedder(*files), _BuiltIn(files)
    (empty,) = ours.embed_batch([[]])
    shape = ours.embed_sentence(["a"]).shape
    assert empty.shape == (shape[0], 0, shape[2]) and empty.dtype == numpy.float32
    built_in.batch([["a"]])
    ours.embed_batch([[]])
    _assert_close(ours.embed_batch(SENTENCES), built_in.batch(SENTENCES))
    assert ours.embed_batch([["a"], []])[1].shape == (shape[0], 0, shape[2])
    assert empty_embedding().shape == (3, 0, 1024)


def test_strings_are_sequences_of_characters(
    files: ElmoFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """Protein tools pass strings."""
    caplog.set_level(logging.INFO)
    strings = ElmoEmbedder(*files).embed_sentences(["MKV", "AC"])
    lists = ElmoEmbedder(*files).embed_sentences([list("MKV"), list("AC")])
    assert all(map(numpy.array_equal, strings, lists))


def test_another_state_gives_a_sentence_the_same_vectors(files: ElmoFiles) -> None:
    """With `warm` the order of sentences does not count."""
    embedder = ElmoEmbedder(*files, initial_state="warm")
    first = embedder.embed_sentence(SENTENCES[0])
    embedder.embed_batch(SENTENCES)
    _assert_close([embedder.embed_sentence(SENTENCES[0])], [first])


def test_what_other_packages_touch_is_there(files: ElmoFiles) -> None:
    """Flair moves the biLM and its states and sets the device; others read the indexer."""
    embedder = ElmoEmbedder(*files)
    assert embedder.elmo_bilm._elmo_lstm._states is None
    embedder.embed_batch(SENTENCES)
    embedder.elmo_bilm.to(device=torch.device("cpu"))
    states = embedder.elmo_bilm._elmo_lstm._states
    assert states is not None and all(state.device.type == "cpu" for state in states)
    embedder.elmo_bilm._elmo_lstm._states = tuple(state.to("cpu") for state in states)
    embedder.cuda_device = torch.device("cpu")  # type: ignore[assignment]
    embedder.embed_batch(SENTENCES)
    assert "elmo_tokens" in embedder.indexer.get_empty_token_list()


def test_it_is_importable_under_the_name_of_0_9() -> None:
    """Once the plugin is imported, code for 0.9 finds its module."""
    from allennlp.commands.elmo import DEFAULT_WEIGHT_FILE
    from allennlp.commands.elmo import ElmoEmbedder as imported

    assert imported is allennlp_elmo_plugin.ElmoEmbedder
    assert DEFAULT_WEIGHT_FILE.endswith("2xhighway_weights.hdf5")
    assert allennlp.commands.elmo is sys.modules["allennlp.commands.elmo"] is elmo_embedder


@pytest.mark.parametrize("width", [8, 60])
def test_words_have_the_width_of_the_options(tmp_path: Path, width: int) -> None:
    """A biLM whose words have fewer or more characters than 50 needs no option."""
    files = write_elmo_files(tmp_path, elmo_options(max_characters=width))
    embedder = ElmoEmbedder(*files, initial_state="zero")
    (expected,) = Oracle(*files).batch_layers([SENTENCES[2]]).layers.swapaxes(0, 1)
    _assert_close(embedder.embed_sentence(SENTENCES[2]), expected[:, 1:-1])
    spelt = embedder.indexer.tokens_to_indices([Token("rain")], Vocabulary())
    assert len(spelt["elmo_tokens"][0]) == width
