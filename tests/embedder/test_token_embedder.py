"""The embedder: its configs and components, the batches that it refuses, and its output."""

import copy
import functools
import inspect
import io
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import (
    BilmEncoder,
    ElmoEncoder,
    ElmoTokenEmbedder,
    FixedScalarMix,
    Hdf5ActivationCache,
    LearnedScalarMix,
    NoActivationCache,
    NoWordCache,
    ScalarMix,
    VocabularyWordCache,
    WarmState,
    ZeroState,
)
from allennlp_elmo_plugin.embedder.boundaries import remove_boundaries
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell, word_ids

WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "cat", "sat"]


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"))


def _from_config(files: ElmoFiles, **params: Any) -> TokenEmbedder:
    config = {"type": "elmo_token_embedder", **files._asdict(), "dropout": 0.0, **params}
    return TokenEmbedder.from_params(Params(config))


MIX = "_elmo.scalar_mix_0."
ZERO = {"type": "bilm", "initial_state": "zero"}


def test_a_config_gets_this_embedder(files: ElmoFiles) -> None:
    """A config with the built-in's name gets this embedder."""
    assert type(_from_config(files)) is ElmoTokenEmbedder


def test_components_are_given_lazily_in_python(files: ElmoFiles) -> None:
    """The constructor takes in Python what a config says."""
    module = ElmoTokenEmbedder(
        *files,
        dropout=0.0,
        encoder=Lazy(ElmoEncoder, Params({"initial_state": {"type": "zero"}})),
        scalar_mix=Lazy(ScalarMix, Params({"type": "fixed", "scalar_parameters": [0, 1, 2]})),
        word_cache=VocabularyWordCache(words=WORDS),
    )
    same = _from_config(files, encoder=ZERO, scalar_mix_parameters=[0, 1, 2])
    ids = spell("cat sat there")
    expected = same(ids)
    assert torch.allclose(module(ids, torch.tensor([[2, 3, 1]])), expected, atol=1e-5)


def _encoder(files: ElmoFiles, **components: Any) -> BilmEncoder:
    return BilmEncoder.from_files(*files, **{"initial_state": ZeroState(), **components})


PARTS: Dict[str, Any] = {
    "encoder": ({}, lambda files: {"encoder": _encoder(files)}),
    "initial state": (
        {"encoder": {"type": "bilm", "initial_state": "warm"}},
        lambda files: {"encoder": _encoder(files, initial_state=WarmState())},
    ),
    "word cache": (
        {"word_cache": "none"},
        lambda files: {"encoder": _encoder(files, word_cache=NoWordCache())},
    ),
    "scalar mix": (
        {"scalar_mix_parameters": [0.5, 1.0, -1.0]},
        lambda files: {"encoder": _encoder(files), "scalar_mix": FixedScalarMix([0.5, 1.0, -1.0])},
    ),
    "layer norm": (
        {"do_layer_norm": True},
        lambda files: {
            "encoder": _encoder(files),
            "scalar_mix": LearnedScalarMix(3, do_layer_norm=True),
        },
    ),
    "boundaries": (
        {"keep_sentence_boundaries": True},
        lambda files: {"encoder": _encoder(files), "keep_sentence_boundaries": True},
    ),
}


@pytest.mark.parametrize("part", list(PARTS))
def test_parts_give_the_vectors_of_a_config(files: ElmoFiles, part: str) -> None:
    """An embedder from components has the vectors of one from the config that names them."""
    config, build = PARTS[part]
    expected = _from_config(files, **{"encoder": ZERO, **config})
    module = ElmoTokenEmbedder.from_parts(**build(files), dropout=0.0)
    ids = spell("the cat sat", "", "dog")
    assert torch.equal(module(ids), expected(ids))
    assert list(module.state_dict()) == list(expected.state_dict())


def test_parts_are_taken_as_they_are(files: ElmoFiles, tmp_path: Path) -> None:
    """Each component that is handed over is the one that the embedder uses."""
    encoder, mix = _encoder(files), FixedScalarMix([0.0, 1.0, 2.0])
    cache = Hdf5ActivationCache(str(tmp_path))
    module = ElmoTokenEmbedder.from_parts(encoder, mix, cache, projection_dim=5)
    assert isinstance(module, ElmoTokenEmbedder)
    assert module.encoder is encoder and module.scalar_mix is mix
    assert module.activation_cache is cache
    assert module.get_output_dim() == 5
    assert module(spell("the cat")).shape == (1, 2, 5) and cache.misses == 1


def test_parts_have_the_defaults_of_a_config(files: ElmoFiles) -> None:
    """An embedder from an encoder alone learns its mix, caches nothing and drops one half."""
    module = ElmoTokenEmbedder.from_parts(_encoder(files)).eval()
    assert isinstance(module.scalar_mix, LearnedScalarMix)
    assert isinstance(module.activation_cache, NoActivationCache)
    assert module.get_output_dim() == 16
    ids = spell("the cat sat there")
    vectors, dropped = module(ids), module.train()(ids)
    is_dropped = dropped == 0
    assert 0.2 < is_dropped.float().mean() < 0.8
    assert torch.allclose(dropped[~is_dropped], 2 * vectors[~is_dropped])


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda files: {"encoder": _encoder(files), "projection_dim": 0}, "at least 1, got 0"),
        (
            lambda files: {
                "encoder": BilmEncoder.from_files(*files),
                "activation_cache": Hdf5ActivationCache("nowhere"),
            },
            "initial state.*'carry'",
        ),
    ],
    ids=["projection", "cache"],
)
def test_parts_that_do_not_fit_are_refused(
    files: ElmoFiles, build: Callable[[ElmoFiles], Dict[str, Any]], expected: str
) -> None:
    """Components are checked like those of a config."""
    with pytest.raises(ConfigurationError, match=expected):
        ElmoTokenEmbedder.from_parts(**build(files))


def test_an_encoder_works_alone(files: ElmoFiles) -> None:
    """An encoder needs no embedder around it."""
    encoder = ElmoEncoder.from_params(Params({"type": "bilm", **files._asdict()}))
    encoded = encoder(SentenceBatch.from_padded(spell("cat sat", "cat"), 50))
    assert encoded.layers.shape == (3, 2, 4, 16)
    assert encoded.mask.tolist() == [[True] * 4, [True, True, True, False]]
    assert not encoded.layers[:, 1, 3].any()


def test_a_folder_names_both_files(files: ElmoFiles) -> None:
    """A folder may stand where the built-in wants two files."""
    folder = str(Path(files.options_file).parent)
    module = _from_config(files, options_file=folder, weight_file=folder, encoder=ZERO)
    ids = spell("cat sat")
    assert torch.equal(module(ids), _from_config(files, encoder=ZERO)(ids))


def test_files_may_be_path_objects(files: ElmoFiles) -> None:
    """A `pathlib.Path` names a file as a string does, in Python and in `Params`."""
    paths = {name: Path(path) for name, path in files._asdict().items()}
    params: Dict[str, Any] = {**paths, "dropout": 0.0}
    from_config = ElmoTokenEmbedder.from_params(vocab=None, params=Params(params))
    ids = spell("cat sat")
    expected = _from_config(files)(ids)
    for module in (ElmoTokenEmbedder(**paths, dropout=0.0), from_config):
        assert torch.equal(module(ids), expected)


def test_boundaries_can_be_kept(files: ElmoFiles) -> None:
    """With its boundaries, a sentence is two tokens longer, and the same inside."""
    ids = spell("cat sat", "cat")
    kept = _from_config(files, encoder=ZERO, keep_sentence_boundaries=True)(ids)
    plain = _from_config(files, encoder=ZERO)(ids)
    assert kept.shape == (2, 4, 16)
    assert torch.equal(kept[0, 1:3], plain[0]) and torch.equal(kept[1, 1], plain[1, 0])
    assert kept[:, 0].abs().sum() > 0 and kept[1, 2].abs().sum() > 0
    assert not kept[1, 3].any()


def test_removed_boundaries_pass_no_gradient_on() -> None:
    """Gradients of first and second order go past boundaries, whose vectors count for nothing."""
    batch = SentenceBatch.from_padded(spell("a b c", "d", ""), 50)
    mixed = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    vectors = remove_boundaries(mixed, batch)
    expected = mixed.detach()[:, 1:-1].clone()
    expected[1, 1] = expected[2, 0] = 0.0
    assert torch.equal(vectors, expected[:, :3])
    vectors.sum().backward()
    assert mixed.grad is not None
    assert mixed.grad[..., 0].tolist() == [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0]]
    assert torch.autograd.gradgradcheck(lambda x: remove_boundaries(x, batch) ** 2, (mixed,))


class _TopLayer(ScalarMix):
    """A mix of the user's own that hands on one of its layers."""

    def __init__(self, squashes: bool) -> None:
        super().__init__([0.0] * 3, False)
        self.squashes = squashes

    def forward(self, layers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.layers = layers
        # Autograd keeps the result of tanh for its gradient.
        return torch.tanh(layers[-1]) if self.squashes else layers[-1]


@pytest.mark.parametrize("squashes", [False, True])
def test_a_mix_may_keep_what_it_returns(files: ElmoFiles, squashes: bool) -> None:
    """Removing boundaries writes nothing into a mix's layers or into what autograd keeps."""
    encoder = BilmEncoder.from_files(*files, initial_state=ZeroState(), requires_grad=True)
    mix = _TopLayer(squashes)
    module = ElmoTokenEmbedder.from_parts(encoder, mix, dropout=0.0)
    vectors = module(spell("cat sat", "cat"))
    assert not vectors[1, 1].any() and mix.layers[-1, 1, 2].any()
    vectors.sum().backward()
    assert any(parameter.grad.any() for parameter in encoder.parameters())


@pytest.mark.parametrize("shape", [(2, 0, 50), (0, 3, 50), (0, 0, 50), (2, 0, 3, 50)])
@pytest.mark.parametrize("projection_dim", [None, 5])
def test_nothing_in_gives_nothing_out(files: ElmoFiles, shape: tuple, projection_dim: Any) -> None:
    """A batch without tokens, or without rows, has a result without vectors."""
    module = embedder(files, projection_dim=projection_dim)
    vectors = module(torch.zeros(shape, dtype=torch.long))
    assert vectors.shape == (*shape[:-1], projection_dim or 16)


def test_nothing_in_works_with_a_word_cache(files: ElmoFiles) -> None:
    """A batch without tokens may have word ids, of which there are none."""
    module = embedder(files, vocab_to_cache=WORDS)
    empty = torch.zeros(2, 0, dtype=torch.long)
    assert module(empty.view(2, 0, 1).expand(2, 0, 50), empty).shape == (2, 0, 16)


def test_padding_is_zero(files: ElmoFiles) -> None:
    """A position without a token has a vector of exactly 0, with layer norm and without."""
    for do_layer_norm in (False, True):
        vectors = embedder(files, do_layer_norm=do_layer_norm)(spell("cat sat", "cat"))
        assert not vectors[1, 1].any() and vectors[1, 0].any()


def test_other_widths_of_words(tmp_path: Path) -> None:
    """The options of the biLM say how many characters a word has."""
    files = write_elmo_files(tmp_path, elmo_options(max_characters=20))
    assert embedder(files)(spell("cat", width=20)).shape == (1, 1, 16)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_the_bilm_is_trained_if_asked_for(files: ElmoFiles, requires_grad: bool) -> None:
    """The biLM is frozen unless asked for; the mix and the projection are trained."""
    module = embedder(files, requires_grad=requires_grad, projection_dim=4)
    module(spell("cat sat")).sum().backward()
    trained = {name for name, p in module.named_parameters() if p.grad is not None}
    assert {"_projection.weight", MIX + "gamma", MIX + "scalar_parameters.0"} <= trained
    assert any(name.startswith("_elmo._elmo_lstm") for name in trained) is requires_grad


def test_a_module_can_be_copied_and_pickled(files: ElmoFiles) -> None:
    """Copies and pickles go on from the same state as the original."""
    module = embedder(files, vocab_to_cache=WORDS)
    ids = spell("cat sat")
    module(ids)
    saved = io.BytesIO()
    torch.save(module, saved)
    saved.seek(0)
    load = functools.partial(torch.load, saved)
    # Older versions of torch unpickle everything without being asked.
    if "weights_only" in inspect.signature(torch.load).parameters:
        load = functools.partial(load, weights_only=False)
    others = [copy.deepcopy(module), load()]
    expected = module(ids)
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
        _from_config(files, **params)


@pytest.mark.parametrize(
    "ids, expected",
    [
        (torch.ones(3, 50).long(), "'elmo_tokens' of shape \\(batch, timesteps, characters\\)"),
        (torch.ones(1, 2, 49).long(), "Expected 50 character ids per token.*got 49"),
        (torch.ones(1, 2, 50), "type torch.int64, got torch.float32"),
        (torch.ones(1, 2, 50).bool(), "type torch.int64, got torch.bool"),
        (torch.full((1, 2, 50), 262), "from 0 to 261, got ids from 262 to 262"),
        (torch.full((1, 2, 50), -1), "from 0 to 261, got ids from -1 to -1"),
        (spell("a b c") * torch.tensor([1, 0, 1]).view(1, 3, 1), "follows a position without one"),
    ],
    ids=["rank", "width", "float", "bool", "too high", "too low", "hole"],
)
def test_wrong_character_ids_are_refused(
    files: ElmoFiles, ids: torch.Tensor, expected: str
) -> None:
    """Each error says what was expected and what was there."""
    with pytest.raises(ConfigurationError, match=expected):
        embedder(files)(ids)


@pytest.mark.parametrize(
    "words, expected",
    [
        (torch.ones(1, 3).long(), "'word_inputs' of shape \\(1, 2\\)"),
        (torch.ones(2).long(), "'word_inputs' of shape \\(1, 2\\)"),
        (torch.ones(1, 2), "'word_inputs' of type torch.int64, got torch.float32"),
        (torch.tensor([[2, 0]]), "1 positions differ"),
        (torch.tensor([[2, -3]]), "1 positions differ"),
    ],
    ids=["length", "rank", "float", "padding", "negative"],
)
def test_wrong_word_ids_are_refused(files: ElmoFiles, words: torch.Tensor, expected: str) -> None:
    """Word ids have to fit the character ids position by position."""
    with pytest.raises(ConfigurationError, match=expected):
        embedder(files, vocab_to_cache=WORDS)(spell("cat sat"), words)


def test_more_dimensions_are_sentences_too(files: ElmoFiles) -> None:
    """A batch of lists of sentences, with word ids, has the vectors of a batch of sentences."""
    sentences = ("cat sat", "sat", "", "a cat sat")
    ids, words = spell(*sentences), word_ids(WORDS, *sentences)
    module = embedder(files, encoder={"initial_state": "zero"}, vocab_to_cache=WORDS)
    expected = module(ids, words).view(2, 2, 3, 16)
    assert torch.equal(module(ids.view(2, 2, 3, 50), words.view(2, 2, 3)), expected)


@pytest.mark.parametrize("dropout", [-0.1, 1.5, float("nan"), None, "0.5"])
def test_a_dropout_that_is_no_probability_is_refused(files: ElmoFiles, dropout: Any) -> None:
    """The error says what it was."""
    with pytest.raises(ConfigurationError, match=f"from 0 to 1, got '?{dropout}"):
        ElmoTokenEmbedder(**files._asdict(), dropout=dropout)


def test_word_ids_without_a_cache_are_refused(files: ElmoFiles) -> None:
    """Ids that nothing reads are a mistake in the config."""
    with pytest.raises(ConfigurationError, match="no word cache that reads them"):
        embedder(files)(spell("cat"), torch.tensor([[2]]))


def test_a_bad_batch_costs_no_state(files: ElmoFiles) -> None:
    """After a refused batch, the next one goes on from the last good one."""
    module, other = embedder(files), embedder(files)
    ids = spell("cat sat")
    module(ids)
    other(ids)
    with pytest.raises(ConfigurationError):
        module(ids + 200)
    assert torch.equal(module(ids), other(ids))


def test_a_word_list_beside_training_is_warned_of(
    files: ElmoFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says that cached words no longer follow a trained character CNN."""
    embedder(files, vocab_to_cache=WORDS, requires_grad=True)
    assert "do not follow its character CNN" in caplog.text
