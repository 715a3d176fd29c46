"""ELMo proper: several representations from one run of the encoder."""

from typing import Any, List, Tuple

import pytest
import torch

from allennlp_elmo_plugin import (
    BilmEncoder,
    Elmo,
    FixedScalarMix,
    LearnedScalarMix,
    SentenceBatch,
    VocabularyWordCache,
    ZeroState,
)
from tests.support.builtin import BuiltInElmo
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.sentences import spell, word_ids

WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "the", "cat", "sat"]
BATCHES = [
    ["the cat sat", "rain on the roof again and again"],
    ["it", "", "the cat on the roof"],
    ["again !", "rain"],
]


@pytest.fixture(scope="module", name="files", params=["plain", "kernels"])
def _files(request: Any, tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    sizes = {"projection_dim": 16, "cell_size": 32} if request.param == "kernels" else {}
    folder = tmp_path_factory.mktemp(request.param)
    return write_elmo_files(folder, elmo_options(**sizes), seed=11)


def _both_sides(files: ElmoFiles, keeps_boundaries: bool) -> Tuple[Elmo, torch.nn.Module]:
    """Returns the plugin's `Elmo` and AllenNLP's, with the same two random mixes."""
    theirs = BuiltInElmo(*files, 2, dropout=0.0, keep_sentence_boundaries=keeps_boundaries)
    generator = torch.Generator().manual_seed(12)
    for mix in (theirs.scalar_mix_0, theirs.scalar_mix_1):
        for parameter in mix.parameters():
            parameter.data.normal_(generator=generator)
    mixes = [LearnedScalarMix(num_representations=3) for _ in range(2)]
    encoder = BilmEncoder.from_files(*files)
    ours = Elmo.from_parts(encoder, mixes, dropout=0.0, keep_sentence_boundaries=keeps_boundaries)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("keeps_boundaries", [False, True])
def test_each_mix_gives_the_representation_of_the_built_in(
    files: ElmoFiles, keeps_boundaries: bool
) -> None:
    """Two mixes give AllenNLP's two representations, over batches that carry state."""
    ours, theirs = _both_sides(files, keeps_boundaries)
    for sentences in BATCHES:
        ids = spell(*sentences)
        with torch.no_grad():
            found = ours(ids)["elmo_representations"]
            expected = theirs(ids)["elmo_representations"]
        assert len(found) == len(expected) == 2
        timesteps = ids.size(1) + 2 * keeps_boundaries
        for left, right in zip(found, expected):
            assert left.shape == (len(sentences), timesteps, ours.get_output_dim())
            assert torch.allclose(left, right, rtol=0, atol=1e-5)
        assert not torch.allclose(*found, rtol=0, atol=0.1)


@pytest.mark.parametrize("keeps_boundaries", [False, True])
def test_the_mask_is_that_of_the_built_in(files: ElmoFiles, keeps_boundaries: bool) -> None:
    """The mask is `True` at each token, and at each boundary that is kept."""
    ours, theirs = _both_sides(files, keeps_boundaries)
    for sentences in BATCHES:
        mask, expected = (side(spell(*sentences))["mask"] for side in (ours, theirs))
        assert mask.dtype == torch.bool and torch.equal(mask, expected)
        lengths = [len(sentence.split()) + 2 * keeps_boundaries for sentence in sentences]
        assert mask.sum(dim=1).tolist() == lengths


def _reset_states(module: torch.nn.Module) -> None:
    """Resets all states by AllenNLP's protocol for modules with a state."""
    stateful = [part for part in module.modules() if getattr(part, "stateful", False)]
    assert stateful
    for part in stateful:
        part.reset_states()


@pytest.mark.parametrize("with_word_cache", [False, True])
def test_lists_of_sentences_are_batches_side_by_side(
    files: ElmoFiles, with_word_cache: bool
) -> None:
    """Each list of sentences has what it has as a batch of its own, with word ids and without."""
    cache = VocabularyWordCache(WORDS) if with_word_cache else None
    encoder = BilmEncoder.from_files(*files, word_cache=cache)
    elmo = Elmo.from_parts(encoder, [LearnedScalarMix(3), FixedScalarMix([0.5, 1.0, -1.0])]).eval()
    sentences = ["the cat sat", "1 2", "1 2 3 4 50", "", "the cat", "sat again"]
    inputs: List[torch.Tensor] = [spell(*sentences).view(2, 3, 5, 50)]
    if with_word_cache:
        inputs.append(word_ids(WORDS, *sentences).view(2, 3, 5))
    together = elmo(*inputs)
    assert together["mask"].shape == (2, 3, 5)
    for column in range(3):
        _reset_states(elmo)
        alone = elmo(*(part[:, column] for part in inputs))
        assert torch.equal(together["mask"][:, column], alone["mask"])
        for left, right in zip(together["elmo_representations"], alone["elmo_representations"]):
            assert torch.allclose(left[:, column], right, rtol=0, atol=1e-6)


def test_mixes_read_their_own_layers(files: ElmoFiles) -> None:
    """A mix of the token layer, beside one of the top layer, gives the token layer."""
    encoder = BilmEncoder.from_files(*files, initial_state=ZeroState())
    mixes = [FixedScalarMix(layers=layer, num_representations=3) for layer in (0, "top")]
    elmo = Elmo.from_parts(encoder, mixes, dropout=0.0, keep_sentence_boundaries=True)
    ids = spell("the cat sat", "it")
    bottom, top = elmo(ids)["elmo_representations"]
    layers = encoder(SentenceBatch.from_padded(ids, 50)).layers
    assert torch.equal(bottom, layers[0]) and torch.equal(top, layers[2])


def test_the_encoder_runs_once_for_all_mixes(files: ElmoFiles) -> None:
    """Three mixes cost one run of the encoder."""
    encoder = BilmEncoder.from_files(*files)
    runs: List[int] = []
    encoder.register_forward_hook(lambda *_: runs.append(1))
    elmo = Elmo.from_parts(encoder, [LearnedScalarMix(3) for _ in range(3)])
    assert len(elmo(spell("the cat sat"))["elmo_representations"]) == 3
    assert len(runs) == 1
