"""Finding a published biLM by its name."""

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.weights import find_options_file, find_weight_file
from allennlp_elmo_plugin.weights.published.catalogue import find_model


def test_a_name_finds_its_model() -> None:
    """Facts of its collection are filled in."""
    model = find_model("many-langs-de")
    assert model.languages == ("German",) and model.format == "ELMoForManyLangs"
    assert "Che et al." in (model.citation or "")


@pytest.mark.parametrize(
    "name, suggested",
    [
        ("orignal", "Did you mean 'published:original'"),
        ("Original", "Did you mean 'published:original'"),
        ("seqvek", "Did you mean 'published:seqvec'?"),
        ("many-lang-sv", "'published:many-langs-sv'"),
        ("german", "For German there is published:de, "),
        ("", "'allennlp elmo-models' lists all"),
        ("\x00" * 10_000, "'allennlp elmo-models' lists all"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(name: str, suggested: str) -> None:
    """The error names similar biLMs, or those of the language that was named."""
    with pytest.raises(ConfigurationError) as caught:
        find_weight_file(f"published:{name}")
    assert suggested in str(caught.value) and len(str(caught.value)) < 1000


def test_a_misspelt_name_of_the_plugin_gets_a_suggestion() -> None:
    """A name after `pretrained:` that does not exist is an error with a similar one."""
    with pytest.raises(ConfigurationError, match=r"Did you mean 'pretrained:small'\?"):
        find_options_file("pretrained:smal")
