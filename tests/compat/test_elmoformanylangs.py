"""`Embedder` of ELMoForManyLangs."""

from pathlib import Path

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.compat.elmoformanylangs import Embedder
from tests.support.many_langs_files import write_many_langs
from tests.tools.many_langs_vectors import SENTENCES, fixture_path

TOLERANCE = 1e-5


@pytest.fixture(name="embedder", scope="module")
def _embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder(write_many_langs(tmp_path_factory.mktemp("model")), batch_size=3)


@pytest.mark.parametrize("output_layer", [None, -1, -2, 0, 1, 2])
def test_vectors_are_those_of_elmoformanylangs(embedder: Embedder, output_layer: int) -> None:
    """Each layer, their mean and all of them are those that a new program computes."""
    arguments = [] if output_layer is None else [output_layer]
    found = embedder.sents2elmo(SENTENCES, *arguments)
    assert len(found) == len(SENTENCES)
    with numpy.load(fixture_path("plain")) as expected:
        for i, vectors in enumerate(found):
            layers = expected[f"alone {i}"]
            if output_layer in (None, -1):
                layers = layers.mean(axis=0)
            elif output_layer != -2:
                layers = layers[output_layer]
            assert vectors.dtype == numpy.float32 and vectors.shape == layers.shape
            assert abs(vectors - layers).max(initial=0.0) < TOLERANCE


def test_a_sentence_always_gets_the_same_vectors(embedder: Embedder) -> None:
    """The vectors do not depend on the sentences before."""
    first, second = (embedder.sents2elmo(SENTENCES)[0] for _ in range(2))
    assert numpy.array_equal(first, second)


def test_a_state_may_be_carried(tmp_path: Path) -> None:
    """With `carry`, the batches have the size that was asked for, and the state goes on."""
    path = write_many_langs(tmp_path)
    embedder = Embedder(str(path), 3, initial_state="carry", device="cpu")
    order = sorted(range(len(SENTENCES)), key=lambda i: -len(SENTENCES[i]))
    for turn in ("first", "second"):
        found = embedder.sents2elmo([SENTENCES[i] for i in order], -2)
        with numpy.load(fixture_path("plain")) as expected:
            for i, layers in zip(order, found):
                assert abs(layers - expected[f"{turn} {i}"]).max(initial=0.0) < TOLERANCE


def test_no_sentences_have_no_vectors(embedder: Embedder) -> None:
    """An empty list gives an empty list."""
    assert embedder.sents2elmo([]) == []


@pytest.mark.parametrize("output_layer", [-3, 3])
def test_a_layer_that_is_not_there_is_refused(embedder: Embedder, output_layer: int) -> None:
    """The error names the layers."""
    with pytest.raises(ConfigurationError, match=f"from 0 to 2, -1 for the mean.*{output_layer}"):
        embedder.sents2elmo(SENTENCES, output_layer)
