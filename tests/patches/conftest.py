import pytest

from allennlp_elmo_plugin.patches import apply_patches


@pytest.fixture(autouse=True)
def repaired() -> None:
    """AllenNLP as it is once the plugin is loaded."""
    apply_patches()
