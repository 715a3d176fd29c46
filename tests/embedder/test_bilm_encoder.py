"""The encoder that runs a biLM: layers that are not run, and weights that never came."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance, Token, Vocabulary
from allennlp.data.data_loaders import SimpleDataLoader
from allennlp.data.fields import TextField

from allennlp_elmo_plugin import (
    BilmEncoder,
    CarryState,
    ElmoCharactersIndexer,
    ElmoEncoder,
    LruWordCache,
    NoWordCache,
    VocabularyWordCache,
    WarmState,
    WordCache,
    ZeroState,
)
from allennlp_elmo_plugin.kernels import use_kernels
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.support.builtin import BuiltInEmbedder
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.oracle import Oracle, carry_states
from tests.support.sentences import spell, word_ids
from tests.support.words import WORD_LIST, random_batches

IDS = [spell("the cat sat", "it"), spell("rain", "on the roof", "again !")]
BATCHES = [SentenceBatch.from_padded(ids, 50) for ids in IDS]
WORDS = ["@@PADDING@@", "@@UNKNOWN@@", "the", "cat"]


@pytest.fixture(scope="module", name="files", params=["plain", "kernels"])
def _files(request: Any, tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    sizes = {"projection_dim": 16, "cell_size": 32} if request.param == "kernels" else {}
    folder = tmp_path_factory.mktemp(request.param)
    return write_elmo_files(folder, elmo_options(n_layers=3, **sizes), seed=7)


def _assert_close(found: torch.Tensor, expected: numpy.ndarray) -> None:
    """Fails if layers have another shape, or differ by 1e-5 or more."""
    assert found.shape == expected.shape
    assert numpy.abs(found.detach().numpy() - expected).max() < 1e-5


def _layers_run(encoder: ElmoEncoder) -> List[int]:
    """Returns a list that fills with the number of each LSTM layer that is run."""
    assert isinstance(encoder, BilmEncoder)
    run: List[int] = []

    def note(lstm: torch.nn.Module, inputs: Any, results: Any) -> None:
        outputs, _ = results
        run.extend(range(1, len(outputs) + 1))

    encoder.bilm.lstm.register_forward_hook(note)
    return run


@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_layers_behind_the_one_that_is_read_are_not_run(files: ElmoFiles, layer: int) -> None:
    """A mix of one layer runs that and those below it, and gives AllenNLP's vectors."""
    weights = [float(k == layer) * 9e10 for k in range(4)]
    theirs = BuiltInEmbedder(*files, dropout=0.0, scalar_mix_parameters=weights)
    ours = embedder(files, scalar_mix={"type": "fixed", "layers": layer})
    run = _layers_run(ours.encoder)
    for ids in IDS:
        with torch.no_grad():
            assert (ours(ids) - theirs(ids)).abs().max() < 1e-5
    assert run == list(range(1, layer + 1)) * len(IDS)


@pytest.mark.parametrize("num_representations", [1, 2, 3, 4, None])
def test_fewer_layers_are_the_first_of_all(
    files: ElmoFiles, num_representations: Optional[int]
) -> None:
    """The layers that are asked for are the first of all, over batches that carry state."""
    some, all_layers = (BilmEncoder.from_files(*files) for _ in range(2))
    for batch in BATCHES:
        layers = some(batch, num_representations=num_representations).layers
        expected = all_layers(batch).layers[:num_representations]
        assert torch.allclose(layers, expected, atol=1e-6)


def test_a_layer_that_is_not_run_keeps_its_state(files: ElmoFiles) -> None:
    """A batch that needs fewer layers leaves the others where the last batch left them."""
    encoder, state = BilmEncoder.from_files(*files), CarryState()
    encoder.initial_state = state
    encoder(BATCHES[0])
    before = state.remembered
    encoder(BATCHES[0], num_representations=2)
    after = state.remembered
    assert before is not None and after is not None
    for old, new in zip(before, after):
        assert torch.equal(old[:, 1:], new[:, 1:])
        assert not torch.equal(old[:, :1], new[:, :1])


def test_trained_layers_that_are_not_run_get_gradients_of_zero(files: ElmoFiles) -> None:
    """Optimizers and distributed training find the gradients that the built-in would give."""
    mix = {"type": "fixed", "layers": 1}
    weights = [-9e10, 1.0, -9e10, -9e10]
    theirs = BuiltInEmbedder(*files, dropout=0.0, requires_grad=True, scalar_mix_parameters=weights)
    ours = embedder(files, requires_grad=True, scalar_mix=mix)
    for side in (ours, theirs):
        side(IDS[0]).pow(2).sum().backward()
    expected = {
        name: parameter.grad
        for name, parameter in theirs.named_parameters()
        if parameter.requires_grad
    }
    assert expected
    for name, gradient in expected.items():
        found = ours.get_parameter(name).grad
        assert found is not None and gradient is not None
        assert torch.allclose(found, gradient, atol=1e-4), name


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_weights_that_are_not_run_change_nothing(files: ElmoFiles, number: float) -> None:
    """An infinite weight of a layer that is not run reaches neither vectors nor gradients."""
    ours = embedder(files, requires_grad=True, scalar_mix={"type": "fixed", "layers": 1})
    vectors = ours(IDS[0])
    unused = ours.encoder.bilm.lstm.layers[1][0]
    ours.encoder.initial_state.reset_states()
    with torch.no_grad():
        for parameter in unused.parameters():
            parameter.flatten()[0] = number
    found = ours(IDS[0])
    assert torch.equal(found, vectors)
    found.pow(2).sum().backward()
    for name, parameter in ours.encoder.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    for parameter in unused.parameters():
        assert parameter.grad is not None and not parameter.grad.any()


def test_layers_that_are_not_run_allow_second_order(files: ElmoFiles) -> None:
    """A loss that contains gradients can be differentiated, and gives them zeros as well."""
    ours = embedder(files, requires_grad=True, scalar_mix={"type": "fixed", "layers": 1})
    unused = list(ours.encoder.bilm.lstm.layers[1][0].parameters())
    used = ours.encoder.bilm.lstm.layers[0][0].bias
    with use_kernels("plain"):
        loss = ours(IDS[0]).pow(2).sum()
        gradient, *zeros = torch.autograd.grad(loss, [used, *unused], create_graph=True)
        (loss + gradient.pow(2).sum() + sum(zero.sum() for zero in zeros)).backward()
    assert used.grad is not None and used.grad.any()
    for parameter in unused:
        assert parameter.grad is not None and not parameter.grad.any()


@pytest.mark.parametrize("word_cache", [NoWordCache, LruWordCache])
def test_the_character_cnn_runs_once_for_each_distinct_word(
    files: ElmoFiles, word_cache: Callable[[], WordCache]
) -> None:
    """A word and the boundaries are computed once for a batch, however often they are there."""
    encoder = BilmEncoder.from_files(*files, word_cache=word_cache())
    computed: List[int] = []
    encoder.bilm.char_cnn.register_forward_pre_hook(
        lambda _, inputs: computed.append(len(inputs[0]))
    )
    encoder(SentenceBatch.from_padded(spell("the cat the", "cat", "", "the dog"), 50))
    assert computed == [5]


def test_layers_begin_with_word_vectors(files: ElmoFiles) -> None:
    """Layer 0 is the token layer, the same vector for both directions."""
    encoder = BilmEncoder.from_files(*files)
    layers, mask = encoder(BATCHES[0])
    size = encoder.get_output_dim()
    assert layers.shape == (encoder.num_representations, 2, 5, size)
    assert torch.equal(layers[0, ..., : size // 2], layers[0, ..., size // 2 :])
    assert encoder.doubles_token_layer and encoder.max_characters_per_token == 50
    assert torch.equal(mask, BATCHES[0].mask)
    assert torch.equal(layers[0, 0, 0], layers[0, 1, 0])


def test_every_layer_is_the_oracles_over_the_batches_of_a_data_loader(files: ElmoFiles) -> None:
    """Text that is indexed, batched and encoded has NumPy's layers and mask, batch after batch."""
    batches = random_batches(13, [[3, 5, 1], [4, 4, 2], [1, 6, 3], [7, 1, 1]])
    indexer = ElmoCharactersIndexer()
    loader = SimpleDataLoader(
        [
            Instance({"text": TextField([Token(word) for word in sentence], {"elmo": indexer})})
            for batch in batches
            for sentence in batch
        ],
        batch_size=3,
    )
    loader.index_with(Vocabulary())
    encoder, oracle, states = BilmEncoder.from_files(*files), Oracle(*files), []
    for tensors, sentences in zip(loader, batches):
        batch = SentenceBatch.from_padded(tensors["text"]["elmo"]["elmo_tokens"], 50)
        encoded, expected = encoder(batch), oracle.batch_layers(sentences, states)
        _assert_close(encoded.layers, expected.layers)
        assert encoded.mask.tolist() == expected.mask.tolist()
        states = carry_states(states, expected.states)


def test_words_that_are_indexed_at_once_have_the_oracles_vectors(files: ElmoFiles) -> None:
    """A word list may be indexed as one text and cut into rows, of which the last is shorter."""
    indexer = ElmoCharactersIndexer()
    indexed = indexer.tokens_to_indices([Token(word) for word in WORD_LIST], Vocabulary())
    rows = [
        indexer.as_padded_tensor_dict(
            {"elmo_tokens": indexed["elmo_tokens"][start : start + 8]}, {"elmo_tokens": 8}
        )["elmo_tokens"]
        for start in range(0, len(WORD_LIST), 8)
    ]
    layers = BilmEncoder.from_files(*files)(SentenceBatch.from_padded(torch.stack(rows), 50)).layers
    size = layers.size(-1) // 2
    found = layers[0, :, 1:-1, :size].reshape(-1, size)[: len(WORD_LIST)]
    oracle = Oracle(*files)
    _assert_close(found, numpy.array([oracle.word_vector(word) for word in WORD_LIST]))


@pytest.mark.parametrize("position, text", [(0, "<S>"), (2, "</S>")])
def test_a_boundary_has_the_vector_of_its_text(files: ElmoFiles, position: int, text: str) -> None:
    """The boundary that is added has the vector of a token with the boundary's text."""
    token_layer = BilmEncoder.from_files(*files)(SentenceBatch.from_padded(spell(text), 50)).layers[
        0
    ]
    assert torch.equal(token_layer[0, position], token_layer[0, 1])
    assert not torch.allclose(token_layer[0, 0], token_layer[0, 2], atol=0.1)
    _assert_close(
        token_layer[0, position, : token_layer.size(-1) // 2], Oracle(*files).word_vector(text)
    )


def test_cached_words_change_neither_layers_nor_mask(files: ElmoFiles) -> None:
    """A batch of cached words has each layer that it has without a cache, and the same mask."""
    sentences = ("the cat sat again", "cat 's roof", "the roof")
    words = ["@@PADDING@@", "@@UNKNOWN@@", "the", "cat", "sat", "again", "'s", "roof"]
    cached = BilmEncoder.from_files(*files, word_cache=VocabularyWordCache(words))
    computed: List[int] = []
    cached.bilm.char_cnn.register_forward_pre_hook(
        lambda _, inputs: computed.append(len(inputs[0]))
    )
    ids = spell(*sentences)
    found = cached(SentenceBatch.from_padded(ids, 50, word_ids(words, *sentences)))
    plain = BilmEncoder.from_files(*files, word_cache=NoWordCache())
    expected = plain(SentenceBatch.from_padded(ids, 50))
    assert sum(computed) == 0
    assert torch.equal(found.mask, expected.mask)
    assert torch.allclose(found.layers, expected.layers, rtol=0, atol=1.5e-6)


def test_words_of_another_vocabulary_are_encoded_beside_a_word_cache(files: ElmoFiles) -> None:
    """After a batch of cached words, one with words and ids of another list has right layers."""
    other = ["@@PADDING@@", "@@UNKNOWN@@", "is", "This", "OOV", "so", "this"]
    encoder = BilmEncoder.from_files(*files, word_cache=VocabularyWordCache(WORDS))
    oracle, states = Oracle(*files), []
    for words, sentences in ((WORDS, ["the cat", "cat"]), (other, ["This is OOV", "so is this"])):
        ids = word_ids(words, *sentences)
        found = encoder(SentenceBatch.from_padded(spell(*sentences), 50, ids)).layers
        expected = oracle.batch_layers([sentence.split() for sentence in sentences], states)
        _assert_close(found, expected.layers)
        states = carry_states(states, expected.states)


def test_word_ids_are_read_by_the_vocabulary_word_cache_alone(files: ElmoFiles) -> None:
    """With word ids, layers are those of the characters; a cache that reads none refuses them."""
    sentences = ("the cat sat", "it")
    batch = SentenceBatch.from_padded(spell(*sentences), 50, word_ids(WORDS, *sentences))
    expected = BilmEncoder.from_files(*files)(BATCHES[0]).layers
    encoder = BilmEncoder.from_files(*files, word_cache=VocabularyWordCache(WORDS))
    assert torch.allclose(encoder(batch).layers, expected, rtol=0, atol=1e-5)
    with pytest.raises(ConfigurationError, match="no word cache that reads them"):
        BilmEncoder.from_files(*files)(batch)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({}, "'carry'"),
        ({"initial_state": CarryState()}, "'carry'"),
        ({"initial_state": ZeroState()}, None),
        ({"initial_state": WarmState()}, None),
    ],
)
def test_an_encoder_tells_why_it_cannot_be_cached(
    files: ElmoFiles, arguments: Dict[str, Any], expected: Optional[str]
) -> None:
    """The reason names the initial state, and there is none for a pure encoder."""
    reason = BilmEncoder.from_files(*files, **arguments).uncacheable_reason()
    assert reason is None if expected is None else expected in (reason or "")


def test_the_digest_is_that_of_all_that_shapes_the_layers(files: ElmoFiles, tmp_path: Path) -> None:
    """Word caches leave the digest as it is; other weights, options and initial states do not."""
    other_weights = write_elmo_files(tmp_path / "weights", elmo_options(n_layers=3), seed=8)
    other_clip = write_elmo_files(
        tmp_path / "clip", elmo_options(n_layers=3, cell_clip=0.1), seed=8
    )
    encoders = [
        BilmEncoder.from_files(*files, initial_state=ZeroState(), word_cache=NoWordCache()),
        BilmEncoder.from_files(*files, initial_state=WarmState()),
        BilmEncoder.from_files(*files, initial_state=WarmState(["Other words ."])),
        BilmEncoder.from_files(*other_weights, initial_state=ZeroState()),
        BilmEncoder.from_files(*other_clip, initial_state=ZeroState()),
    ]
    digests = [encoder.digest() for encoder in encoders]
    assert len(set(digests)) == len(encoders)
    twin = BilmEncoder.from_files(*files, initial_state=ZeroState(), word_cache=LruWordCache())
    twin(BATCHES[0])
    assert twin.digest() == digests[0]
    with torch.no_grad():
        twin.bilm.lstm.get_parameter("forward_layer_0.state_linearity.bias").add_(0.1)
    assert twin.digest() != digests[0]


def test_missing_weights_are_told_at_the_first_batch(tmp_path: Path) -> None:
    """An encoder built for an archive's weights that never came names the file."""
    files = write_elmo_files(tmp_path / "elmo", seed=9)
    archive = tmp_path / "archive"
    archive.mkdir()
    around = torch.nn.ModuleDict({"model": BilmEncoder.from_files(*files)})
    torch.save(around.state_dict(), archive / "weights.th")
    saved = around["model"].state_dict()
    for file in files:
        Path(file).unlink()
    encoder = BilmEncoder.from_files(*files, serialization_dir=str(archive))
    with pytest.raises(ConfigurationError, match=f"no weights.*'weight_file' '{files[1]}'"):
        encoder(BATCHES[0])
    encoder.load_state_dict(
        {key: value for key, value in saved.items() if "lstm" in key}, strict=False
    )
    with pytest.raises(ConfigurationError, match="no weights"):
        encoder(BATCHES[0])
    encoder.load_state_dict(saved)
    assert encoder(BATCHES[0]).layers.isfinite().all()


def test_a_file_that_is_missing_outside_an_archive_is_told_at_once(tmp_path: Path) -> None:
    """In a training's folder without weights, a missing file is an error."""
    with pytest.raises(ConfigurationError, match="'options_file' names 'nowhere'"):
        BilmEncoder.from_files("nowhere", "nowhere", serialization_dir=str(tmp_path))
