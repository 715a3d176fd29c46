"""Tests that every public module refuses what is no ordinary tensor in one way."""

from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from allennlp_elmo_plugin import ElmoTokenEmbedder, LearnedScalarMix
from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.support.sentences import spell

IDS = spell("the cat sat", "a dog")


def _nested(ids: torch.Tensor) -> Any:
    if not hasattr(torch, "nested"):
        pytest.skip("this version of torch has no nested tensors")
    return torch.nested.nested_tensor([ids[0].float(), ids[1][:2].float()])


WRONG: Dict[str, Callable[[torch.Tensor], Any]] = {
    "a list": lambda ids: ids.tolist(),
    "an array": lambda ids: ids.numpy(),
    "a sparse tensor": lambda ids: ids.to_sparse(),
    "a meta tensor": lambda ids: ids.to("meta"),
    "a quantized tensor": lambda ids: torch.quantize_per_tensor(ids.float(), 1.0, 0, torch.quint8),
    "a nested tensor": _nested,
    "complex numbers": lambda ids: ids.to(torch.complex64),
    "booleans": lambda ids: ids.bool(),
    "floats": lambda ids: ids.float(),
    "small integers": lambda ids: ids.to(torch.uint8),
    "one row": lambda ids: ids[0],
    "no dimension": lambda ids: torch.tensor(3),
}


@pytest.fixture(name="embedder", scope="module")
def _embedder() -> ElmoTokenEmbedder:
    return ElmoTokenEmbedder("pretrained:small", "pretrained:small", dropout=0.0)


@pytest.mark.parametrize("wrong", list(WRONG))
def test_an_embedder_refuses_character_ids(embedder: ElmoTokenEmbedder, wrong: str) -> None:
    """Character ids that are no dense integers of three dimensions are one kind of error."""
    if wrong == "no dimension" or wrong != "one row":
        with pytest.raises(ConfigurationError, match="Expected"):
            embedder(WRONG[wrong](IDS))
    with pytest.raises(ConfigurationError, match="Expected"):
        SentenceBatch.from_padded(WRONG[wrong](IDS), 50)


def test_an_embedder_needs_character_ids(embedder: ElmoTokenEmbedder) -> None:
    """None in place of character ids is the same kind of error."""
    with pytest.raises(ConfigurationError, match="NoneType"):
        embedder(None)


@pytest.mark.parametrize("wrong", list(WRONG))
def test_an_embedder_refuses_word_ids(embedder: ElmoTokenEmbedder, wrong: str) -> None:
    """Word ids are checked as character ids are."""
    words = IDS[:, :, 0]
    with pytest.raises(ConfigurationError, match="Expected"):
        embedder(IDS, WRONG[wrong](words))


@pytest.mark.parametrize("number", [-1, 262, 2**15, 2**40, -(2**62)])
def test_ids_of_any_size_are_refused(embedder: ElmoTokenEmbedder, number: int) -> None:
    """An id without a character is an error, also one that two bytes do not hold."""
    ids = IDS.clone()
    ids[1, 1, 7] = number
    with pytest.raises(ConfigurationError, match="from 0 to 261"):
        embedder(ids)


@pytest.mark.parametrize("shape", [(0, 0, 50), (2, 0, 50), (0, 5, 50), (0, 3, 4, 50)], ids=str)
def test_no_tokens_have_no_vectors(embedder: ElmoTokenEmbedder, shape: Any) -> None:
    """A batch without tokens has an output without tokens."""
    with torch.no_grad():
        vectors = embedder(torch.zeros(shape, dtype=torch.long))
    assert vectors.shape == (*shape[:-1], embedder.get_output_dim())


def test_strides_change_nothing(embedder: ElmoTokenEmbedder) -> None:
    """Views of any strides, expanded ones and int32 have the same vectors."""
    rows = IDS[:1].expand(3, -1, -1)
    wide = torch.zeros(3, 6, 100, dtype=torch.long)
    wide[:, ::2, ::2] = rows
    transposed = rows.permute(2, 0, 1).contiguous().permute(1, 2, 0)

    def embed(ids: torch.Tensor) -> torch.Tensor:
        embedder._elmo.encoder.initial_state.reset_states()
        with torch.no_grad():
            return embedder(ids)

    expected = embed(rows.contiguous())
    for view in (rows, wide[:, ::2, ::2], transposed, rows.to(torch.int32)):
        assert torch.equal(embed(view), expected)


@pytest.mark.parametrize("wrong", [name for name in WRONG if name not in ("floats", "one row")])
def test_a_scalar_mix_refuses_layers_and_masks(wrong: str) -> None:
    """A scalar mix checks its layers, and the mask that a layer norm reads."""
    mix = LearnedScalarMix(2, do_layer_norm=True)
    layers, mask = torch.randn(2, 3, 4, 8), torch.ones(3, 4, dtype=torch.bool)
    with pytest.raises(ConfigurationError, match="Expected"):
        mix(WRONG[wrong](layers if wrong != "a nested tensor" else IDS), mask)
    if wrong != "booleans":
        with pytest.raises(ConfigurationError, match="Expected"):
            mix(layers, WRONG[wrong](mask if wrong != "a nested tensor" else IDS))
    with pytest.raises(ConfigurationError, match=r"mask of shape \(3, 4\)"):
        mix(layers, mask[:2])


@pytest.fixture(name="language_model", scope="module")
def _language_model(embedder: ElmoTokenEmbedder) -> BidirectionalLm:
    vocab = Vocabulary()
    for word in ("the", "cat", "sat", "a", "dog"):
        vocab.add_token_to_namespace(word)
    return BidirectionalLm(vocab, ElmoBilm(embedder._elmo.encoder.bilm.options))


def _window(**changed: Any) -> Dict[str, Any]:
    targets = torch.ones(2, 3, dtype=torch.long)
    tensors = {
        "forward_inputs": {"elmo": {"elmo_tokens": IDS}},
        "forward_targets": {"tokens": {"tokens": targets}},
        "backward_inputs": {"elmo": {"elmo_tokens": IDS}},
        "backward_targets": {"tokens": {"tokens": targets}},
    }
    metadata = [{"stream": row, "window": 0} for row in range(2)]
    return {**tensors, "metadata": metadata, **changed}


@pytest.mark.parametrize("wrong", [*WRONG, "too large", "negative", "too long"])
def test_a_language_model_refuses_inputs_and_targets(
    language_model: BidirectionalLm, wrong: str
) -> None:
    """Inputs and targets of a language model are checked as those of an embedder are."""
    targets = torch.ones(2, 3, dtype=torch.long)
    spoil = {
        **WRONG,
        "too large": lambda ids: ids + 7,
        "negative": lambda ids: -ids,
        "too long": lambda ids: torch.cat([ids, ids], dim=1),
    }[wrong]
    with pytest.raises(ConfigurationError, match="Expected"):
        language_model(**_window(backward_targets={"tokens": {"tokens": spoil(targets)}}))
    if wrong in WRONG:
        with pytest.raises(ConfigurationError, match="Expected"):
            language_model(**_window(forward_inputs={"elmo": {"elmo_tokens": spoil(IDS)}}))


def test_a_language_model_refuses_other_indexers(language_model: BidirectionalLm) -> None:
    """A field with other tensors is an error that names them."""
    with pytest.raises(ConfigurationError, match="'elmo_tokens', got .*token_ids"):
        language_model(**_window(forward_inputs={"bert": {"token_ids": IDS}}))
