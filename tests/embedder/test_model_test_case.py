"""AllenNLP's own `ModelTestCase`, from which the tests of users' models inherit."""

import json
from typing import Any, Dict

import pytest
import torch
from allennlp.common import Params
from allennlp.common.testing import ModelTestCase
from allennlp.models import Model

from allennlp_elmo_plugin import CarryState
from tests.support.builtin import BuiltInEmbedder, built_in
from tests.support.tagger_experiment import tagger


class TestTagger(ModelTestCase):
    """A tagger with the embedder, as a user would test it."""

    @pytest.mark.parametrize("embedder", [{}, {"requires_grad": True}])
    def test_it_trains_saves_and_loads(self, embedder: Dict[str, Any]) -> None:
        """A model and its loaded copy agree once their states are reset by AllenNLP's protocol."""
        file = self.TEST_DIR / "experiment.json"
        file.write_text(json.dumps(tagger(self.TEST_DIR, **embedder)))
        models = self.ensure_model_can_train_save_and_load(file)
        for model in models:
            assert any(isinstance(module, CarryState) for module in model.modules())


class TestTaggerWithWords(ModelTestCase):
    """
    A tagger with an embedding of words beside ELMo.

    `ModelTestCase` adds a test that no bias stands before a normalization.
    """

    def setup_method(self) -> None:
        """Reads the data and builds the model."""
        super().setup_method()
        config = tagger(self.TEST_DIR, dropout=0.5)
        config["dataset_reader"]["token_indexers"]["tokens"] = {"type": "single_id"}
        model = config["model"]
        model["text_field_embedder"]["token_embedders"]["tokens"] = {
            "type": "embedding",
            "embedding_dim": 7,
        }
        model["encoder"] = {
            "type": "gru",
            "input_size": model["encoder"]["input_size"] + 7,
            "hidden_size": 5,
            "num_layers": 2,
            "dropout": 0.5,
            "bidirectional": True,
        }
        file = self.TEST_DIR / "experiment.json"
        file.write_text(json.dumps(config))
        self.set_up_model(file, config["train_data_path"])

    def test_it_trains_saves_and_loads(self) -> None:
        """The model and its loaded copy agree."""
        self.ensure_model_can_train_save_and_load(self.param_file)

    def test_each_tag_has_the_probability_that_the_built_in_gives(self) -> None:
        """A model with AllenNLP's class and the same weights gives the same probabilities."""
        with built_in():
            params = Params.from_file(self.param_file)["model"]
            theirs = Model.from_params(params, vocab=self.vocab)
        assert any(type(module) is BuiltInEmbedder for module in theirs.modules())
        theirs.load_state_dict(self.model.state_dict())
        tensors = self.dataset.as_tensor_dict()
        found, expected = (
            model.eval()(**tensors)["class_probabilities"] for model in (self.model, theirs)
        )
        longest = max(len(instance["tokens"]) for instance in self.instances)
        assert found.shape == (12, longest, self.vocab.get_vocab_size("labels"))
        assert torch.allclose(torch.as_tensor(found), torch.as_tensor(expected), rtol=0, atol=1e-5)
