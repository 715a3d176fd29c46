"""`Predictor.get_gradients` leaves the predictor as it was."""

from typing import Any, Dict, List, Optional

import numpy
import pytest
import torch
from allennlp.data import DatasetReader, Instance, Token, Vocabulary
from allennlp.data.fields import LabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from allennlp.models import Model
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding
from allennlp.predictors import Predictor

from allennlp_elmo_plugin.patches import patch_get_gradients
from tests.support.threads import in_threads


class Classifier(Model):
    """A classifier whose embedding is frozen, and that fails if it is told to."""

    def __init__(self, vocab: Vocabulary) -> None:
        super().__init__(vocab)
        embedding = Embedding(4, num_embeddings=5, trainable=False)
        self.embedder = BasicTextFieldEmbedder({"tokens": embedding})
        self.layer = torch.nn.Linear(4, 2)
        self.fails = False

    def forward(  # type: ignore[override]
        self, tokens: Dict[str, Dict[str, torch.Tensor]], label: Optional[torch.Tensor] = None
    ) -> Dict[str, torch.Tensor]:
        """Returns the loss."""
        logits = self.layer(self.embedder(tokens).sum(dim=1))
        if self.fails:
            raise ValueError("told to fail")
        assert label is not None
        return {"loss": torch.nn.functional.cross_entropy(logits, label)}


class Reader(DatasetReader):
    """A reader that only indexes."""

    def apply_token_indexers(self, instance: Instance) -> None:
        """Gives the text its indexer."""
        tokens: Any = instance["tokens"]
        tokens.token_indexers = {"tokens": SingleIdTokenIndexer()}


@pytest.fixture(name="predictor")
def _predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(Classifier(Vocabulary(tokens_to_add={"tokens": ["it", "rains"]})), Reader())


def instances() -> List[Instance]:
    """Returns a batch of one sentence."""
    text = TextField([Token("it"), Token("rains")])
    return [Instance({"tokens": text, "label": LabelField(1, skip_indexing=True)})]


def call(predictor: Predictor, fails: bool) -> None:
    """Asks for gradients, which the model gives or not."""
    model: Any = predictor._model
    model.fails = fails
    if fails:
        with pytest.raises(ValueError, match="told to fail"):
            predictor.get_gradients(instances())
    else:
        predictor.get_gradients(instances())


def test_a_frozen_embedding_gives_gradients(predictor: Predictor) -> None:
    """The gradient of each token is that of the layer above."""
    gradients, outputs = predictor.get_gradients(instances())
    assert gradients["grad_input_1"].shape == (1, 2, 4)
    assert numpy.abs(gradients["grad_input_1"]).min() > 0
    assert outputs["loss"] > 0


@pytest.mark.parametrize("fails", [False, True])
def test_parameters_require_gradients_as_before(predictor: Predictor, fails: bool) -> None:
    """A frozen parameter is frozen again, and a trained one is trained."""
    call(predictor, fails)
    required = {name: each.requires_grad for name, each in predictor._model.named_parameters()}
    assert required == {
        "embedder.token_embedder_tokens.weight": False,
        "layer.weight": True,
        "layer.bias": True,
    }


@pytest.mark.parametrize("fails", [False, True])
def test_parameters_keep_their_gradients(predictor: Predictor, fails: bool) -> None:
    """A gradient that waits for an optimizer stays, and no parameter gets a new one."""
    waiting = torch.ones(2)
    weight, layer = predictor._model.parameters(), predictor._model.get_submodule("layer")
    layer.get_parameter("bias").grad = waiting
    call(predictor, fails)
    assert layer.get_parameter("bias").grad is waiting
    assert waiting.tolist() == [1.0, 1.0]
    assert [parameter.grad is None for parameter in weight] == [True, True, False]


@pytest.mark.parametrize("fails", [False, True])
def test_only_earlier_hooks_stay(predictor: Predictor, fails: bool) -> None:
    """Hooks of the tool that calls stay, and those of AllenNLP go."""
    seen: List[str] = []
    layer = predictor.get_interpretable_layer()
    layer.register_forward_hook(lambda *_: seen.append("forward"))
    call(predictor, fails)
    assert seen == ["forward"]
    model = predictor._model
    hooks = [each for m in model.modules() for each in (*m._forward_hooks, *m._backward_hooks)]
    assert len(hooks) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_hooks_of_the_newer_kind_can_follow(predictor: Predictor, fails: bool) -> None:
    """PyTorch allows one kind of backward hook in a module, and AllenNLP's is gone."""
    call(predictor, fails)
    for module in predictor._model.modules():
        module.register_full_backward_hook(lambda *_: None)


def test_gradients_after_an_error_are_those_before(predictor: Predictor) -> None:
    """A call that failed has no effect on the next one."""
    before = predictor.get_gradients(instances())[0]
    call(predictor, fails=True)
    predictor._model.fails = False  # type: ignore[assignment]
    after = predictor.get_gradients(instances())[0]
    assert list(before) == list(after) == ["grad_input_1"]
    assert numpy.array_equal(before["grad_input_1"], after["grad_input_1"])


def test_token_offsets_of_an_error_are_forgotten(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets of word pieces wait for a backward pass, which an error prevents."""
    offsets = torch.tensor([[[0, 0], [1, 1]]])
    monkeypatch.setattr(
        "allennlp.nn.util.get_token_offsets_from_text_field_inputs", lambda _: offsets
    )
    call(predictor, fails=True)
    assert predictor._token_offsets == []


def test_patching_twice_changes_nothing() -> None:
    """A second call leaves the method that the first one put there."""
    method = Predictor.get_gradients
    patch_get_gradients()
    assert Predictor.get_gradients is method


def test_threads_get_the_gradients_of_one(predictor: Predictor) -> None:
    """Threads that ask at once get right gradients, and leave the model as it was."""
    expected = predictor.get_gradients(instances())[0]

    def ask(_: int) -> List[Dict[str, Any]]:
        return [predictor.get_gradients(instances())[0] for _ in range(5)]

    for found in in_threads(ask):
        assert all(list(each) == ["grad_input_1"] for each in found)
        assert all(numpy.array_equal(e["grad_input_1"], expected["grad_input_1"]) for e in found)
    assert [each.requires_grad for each in predictor._model.parameters()] == [False, True, True]
