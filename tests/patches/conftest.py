"""Fixtures of the tests of patches."""

import pytest

from allennlp_elmo_plugin.patches import apply_patches


@pytest.fixture(autouse=True)
def patched() -> None:
    """Applies the patches, as importing the plugin does."""
    apply_patches()
