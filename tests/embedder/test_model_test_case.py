"""AllenNLP's own `ModelTestCase`, from which the tests of users' models inherit."""

import json
from typing import Any, Dict

import pytest
from allennlp.common.testing import ModelTestCase

from allennlp_elmo_plugin import CarryState
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
