"""The embedder's own behaviour: what it accepts, what it refuses, and what it never does."""

import copy
import functools
import inspect
import io
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import ElmoEncoder, ElmoTokenEmbedder, ScalarMix, VocabularyWordCache
from allennlp_elmo_plugin.network.spelling import spell_word
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files

WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "cat", "sat"]


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"))


def _spelled(*sentences: str) -> torch.Tensor:
    """Shape (batch, timesteps, 50), for as many timesteps as the longest sentence has words."""
    rows = [[spell_word(word) for word in sentence.split()] for sentence in sentences]
    timesteps = max(map(len, rows))
    return torch.tensor([row + [[0] * 50] * (timesteps - len(row)) for row in rows])


def _embedder(files: ElmoFiles, **params: Any) -> TokenEmbedder:
    config = {"type": "elmo_token_embedder", **files._asdict(), "dropout": 0.0, **params}
    return TokenEmbedder.from_params(Params(config))


ZERO = {"type": "bilm", "initial_state": "zero"}


def test_a_config_gets_this_embedder(files: ElmoFiles) -> None:
    """It has taken the built-in's name."""
    assert type(_embedder(files)) is ElmoTokenEmbedder


def test_parts_work_from_python(files: ElmoFiles) -> None:
    """What a config says can be said in Python."""
    embedder = ElmoTokenEmbedder(
        *files,
        dropout=0.0,
        encoder=Lazy(ElmoEncoder, Params({"initial_state": {"type": "zero"}})),
        scalar_mix=Lazy(ScalarMix, Params({"type": "fixed", "scalar_parameters": [0, 1, 2]})),
        word_cache=VocabularyWordCache(words=WORDS),
    )
    same = _embedder(files, encoder=ZERO, scalar_mix_parameters=[0, 1, 2])
    ids = _spelled("cat sat there")
    expected = same(ids)
    assert torch.allclose(embedder(ids, torch.tensor([[2, 3, 1]])), expected, atol=1e-5)


def test_an_encoder_works_alone(files: ElmoFiles) -> None:
    """The encoder part needs no embedder around it."""
    encoder = ElmoEncoder.from_params(Params({"type": "bilm", **files._asdict()}))
    encoded = encoder(_spelled("cat sat", "cat"))
    assert encoded.layers.shape == (3, 2, 4, 16)
    assert encoded.mask.tolist() == [[True] * 4, [True, True, True, False]]
    assert not encoded.layers[:, 1, 3].any()


def test_a_folder_names_both_files(files: ElmoFiles) -> None:
    """A folder may stand where the built-in wants two files."""
    folder = str(Path(files.options_file).parent)
    embedder = _embedder(files, options_file=folder, weight_file=folder, encoder=ZERO)
    ids = _spelled("cat sat")
    assert torch.equal(embedder(ids), _embedder(files, encoder=ZERO)(ids))


def test_boundaries_can_be_kept(files: ElmoFiles) -> None:
    """With its boundaries, a sentence is two longer, and the same inside."""
    ids = _spelled("cat sat", "cat")
    kept = _embedder(files, encoder=ZERO, keep_sentence_boundaries=True)(ids)
    plain = _embedder(files, encoder=ZERO)(ids)
    assert kept.shape == (2, 4, 16)
    assert torch.equal(kept[0, 1:3], plain[0]) and torch.equal(kept[1, 1], plain[1, 0])
    assert kept[:, 0].abs().sum() > 0 and kept[1, 2].abs().sum() > 0
    assert not kept[1, 3].any()


@pytest.mark.parametrize("shape", [(2, 0, 50), (0, 3, 50), (0, 0, 50), (2, 0, 3, 50)])
@pytest.mark.parametrize("projection_dim", [None, 5])
def test_nothing_in_gives_nothing_out(files: ElmoFiles, shape: tuple, projection_dim: Any) -> None:
    """A batch without tokens, or without rows, has a result without vectors."""
    embedder = _embedder(files, projection_dim=projection_dim)
    vectors = embedder(torch.zeros(shape, dtype=torch.long))
    assert vectors.shape == (*shape[:-1], projection_dim or 16)


def test_nothing_in_works_with_a_word_cache(files: ElmoFiles) -> None:
    """Empty word ids are no stumbling block either."""
    embedder = _embedder(files, vocab_to_cache=WORDS)
    empty = torch.zeros(2, 0, dtype=torch.long)
    assert embedder(empty.view(2, 0, 1).expand(2, 0, 50), empty).shape == (2, 0, 16)


def test_padding_is_zero(files: ElmoFiles) -> None:
    """Where there is no token, the vector is exactly 0, layer norm or not."""
    vectors = _embedder(files, do_layer_norm=True)(_spelled("cat sat", "cat"))
    assert not vectors[1, 1].any()


def test_other_widths_of_words(tmp_path: Path) -> None:
    """The options of the biLM say how many characters a word has."""
    files = write_elmo_files(tmp_path, elmo_options(max_characters=20))
    ids = torch.tensor([[spell_word("cat", width=20)]])
    assert _embedder(files)(ids).shape == (1, 1, 16)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_what_is_trained(files: ElmoFiles, requires_grad: bool) -> None:
    """The biLM is frozen unless asked for; the mix and the projection are trained."""
    embedder = _embedder(files, requires_grad=requires_grad, projection_dim=4)
    embedder(_spelled("cat sat")).sum().backward()
    trained = {name for name, p in embedder.named_parameters() if p.grad is not None}
    assert {"_projection.weight", "scalar_mix.gamma", "scalar_mix.scalar_parameters.0"} <= trained
    assert any(name.startswith("_encoder") for name in trained) is requires_grad


def test_a_module_can_be_copied_and_pickled(files: ElmoFiles) -> None:
    """DerivedCache and pickles go on from the same state as the original."""
    embedder = _embedder(files, vocab_to_cache=WORDS)
    ids = _spelled("cat sat")
    embedder(ids)
    saved = io.BytesIO()
    torch.save(embedder, saved)
    saved.seek(0)
    load = functools.partial(torch.load, saved)
    # Older versions of torch unpickle everything without being asked.
    if "weights_only" in inspect.signature(torch.load).parameters:
        load = functools.partial(load, weights_only=False)
    others = [copy.deepcopy(embedder), load()]
    expected = embedder(ids)
    for other in others:
        assert torch.equal(other(ids), expected)


@pytest.mark.parametrize(
    "params, expected",
    [
        (
            {"scalar_mix_parameters": [1, 2, 3], "scalar_mix": "learned"},
            "both 'scalar_mix_parameters' and 'scalar_mix'",
        ),
        (
            {"vocab_to_cache": WORDS, "word_cache": {"type": "none"}},
            "both 'vocab_to_cache' and 'word_cache'",
        ),
        (
            {"do_layer_norm": True, "scalar_mix": {"type": "learned", "do_layer_norm": True}},
            "'do_layer_norm' inside 'scalar_mix'",
        ),
        (
            {"encoder": {"type": "bilm", "weight_file": "w.hdf5"}},
            "'weight_file' inside 'encoder'",
        ),
        ({"encoder": {"requires_grad": True}}, "'requires_grad' inside 'encoder'"),
        (
            {"word_cache": "none", "encoder": {"word_cache": "none"}},
            "'word_cache' inside 'encoder'",
        ),
        ({"scalar_mix_parameters": [1, 2]}, "Expected 3 scalar mix parameters.*got 2"),
        ({"projection_dim": 0}, "'projection_dim' to be at least 1, got 0"),
        ({"options_file": "nowhere.json"}, "'options_file' names 'nowhere.json'"),
        ({"vocab_to_cache": []}, "'words' has no entry"),
    ],
)
def test_contradictions_in_a_config_are_refused(
    files: ElmoFiles, params: Dict[str, Any], expected: str
) -> None:
    """Each error names the keys at fault."""
    with pytest.raises(ConfigurationError, match=expected):
        _embedder(files, **params)


@pytest.mark.parametrize(
    "ids, expected",
    [
        (torch.ones(3, 50).long(), "'elmo_tokens' of shape \\(batch, timesteps, characters\\)"),
        (torch.ones(1, 2, 49).long(), "Expected 50 character ids per token.*got 49"),
        (torch.ones(1, 2, 50), "type torch.int64, got torch.float32"),
        (torch.ones(1, 2, 50).bool(), "type torch.int64, got torch.bool"),
        (torch.full((1, 2, 50), 262), "from 0 to 261, got ids from 262 to 262"),
        (torch.full((1, 2, 50), -1), "from 0 to 261, got ids from -1 to -1"),
        (_spelled("a b c") * torch.tensor([1, 0, 1]).view(1, 3, 1), "follows a place without one"),
    ],
    ids=["rank", "width", "float", "bool", "too high", "too low", "hole"],
)
def test_wrong_character_ids_are_refused(
    files: ElmoFiles, ids: torch.Tensor, expected: str
) -> None:
    """Each error says what was expected and what was there."""
    with pytest.raises(ConfigurationError, match=expected):
        _embedder(files)(ids)


@pytest.mark.parametrize(
    "word_ids, expected",
    [
        (torch.ones(1, 3).long(), "'word_inputs' of shape \\(1, 2\\)"),
        (torch.ones(2).long(), "'word_inputs' of shape \\(1, 2\\)"),
        (torch.ones(1, 2), "word ids of type torch.int64, got torch.float32"),
        (torch.tensor([[2, 0]]), "1 places differ"),
        (torch.tensor([[2, -3]]), "1 places differ"),
    ],
    ids=["length", "rank", "float", "padding", "negative"],
)
def test_wrong_word_ids_are_refused(
    files: ElmoFiles, word_ids: torch.Tensor, expected: str
) -> None:
    """Word ids must fit the character ids place by place."""
    with pytest.raises(ConfigurationError, match=expected):
        _embedder(files, vocab_to_cache=WORDS)(_spelled("cat sat"), word_ids)


def test_word_ids_without_a_cache_are_refused(files: ElmoFiles) -> None:
    """Ids that nothing reads are a mistake in the config."""
    with pytest.raises(ConfigurationError, match="no word cache that reads them"):
        _embedder(files)(_spelled("cat"), torch.tensor([[2]]))


def test_a_bad_batch_costs_no_state(files: ElmoFiles) -> None:
    """After a refused batch, the next one goes on from the last good one."""
    embedder, other = _embedder(files), _embedder(files)
    ids = _spelled("cat sat")
    embedder(ids)
    other(ids)
    with pytest.raises(ConfigurationError):
        embedder(ids + 200)
    assert torch.equal(embedder(ids), other(ids))


def test_warning_for_a_cache_beside_training(
    files: ElmoFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """Cached words no longer follow a trained character CNN, which is said."""
    _embedder(files, vocab_to_cache=WORDS, requires_grad=True)
    assert "no longer reaches" in caplog.text
