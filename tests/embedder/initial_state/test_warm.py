"""The state to which the biLM converges on a warm-up text, the same for every sentence."""

import random
from pathlib import Path
from typing import Any, List, Sequence

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, ElmoBilm, ElmoTokenEmbedder, WarmState
from allennlp_elmo_plugin.embedder.initial_state.warm_up_sentences import WARM_UP_SENTENCES
from tests.support.builtin import BuiltInEmbedder
from tests.support.elmo_files import ElmoFiles, elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.sentences import spell
from tests.support.threads import in_threads

WORDS = [
    "the",
    "a",
    "rain",
    "falls",
    "on",
    "roofs",
    "and",
    "we",
    "hear",
    "it",
    "all",
    "night",
    "long",
    ",",
    "says",
    "old",
    "Anna",
    ".",
]
# Number of readings after which the built-in has converged on a text.
READINGS = 15


@pytest.fixture(scope="module", name="files", params=["plain", "kernels"])
def _files(request: Any, tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    sizes = {"projection_dim": 16, "cell_size": 32} if request.param == "kernels" else {}
    filters = ((1, 16), (2, 16)) if request.param == "kernels" else ((1, 4), (2, 6))
    folder = tmp_path_factory.mktemp(request.param)
    return write_elmo_files(folder, elmo_options(filters=filters, **sizes), seed=3)


def _warm(files: ElmoFiles, **initial_state: Any) -> ElmoTokenEmbedder:
    return embedder(files, encoder={"initial_state": {"type": "warm", **initial_state}}).eval()


def _sentences(count: int) -> List[List[str]]:
    drawn = random.Random(5)
    return [[drawn.choice(WORDS) for _ in range(drawn.randint(1, 12))] for _ in range(count)]


def _embed(
    module: torch.nn.Module, sentences: Sequence[Sequence[str]], batch_size: int
) -> List[torch.Tensor]:
    """Returns the vectors of each sentence."""
    vectors: List[torch.Tensor] = []
    with torch.no_grad():
        for start in range(0, len(sentences), batch_size):
            batch = sentences[start : start + batch_size]
            rows = module(spell(*batch))
            vectors += [row[: len(words)] for row, words in zip(rows, batch)]
    return vectors


def _state(module: ElmoTokenEmbedder) -> torch.Tensor:
    return module.state_dict()["_elmo._elmo_lstm.initial_state.hidden"]


def test_a_sentence_has_the_same_vectors_in_any_company(files: ElmoFiles) -> None:
    """Order, batch size and a round trip through a state dict change nothing beyond 1e-5."""
    sentences = _sentences(30)
    module = _warm(files)
    expected = _embed(module, sentences, batch_size=30)
    loaded = _warm(files, sentences=["Other words ."])
    loaded.load_state_dict(module.state_dict())
    for batch_size in (1, 4, 7):
        order = random.Random(batch_size).sample(range(30), 30)
        for side in (module, loaded):
            found = _embed(side, [sentences[i] for i in order], batch_size)
            for i, vectors in zip(order, found):
                assert (vectors - expected[i]).abs().max() < 1e-5


def test_it_is_nearer_to_the_converged_builtin_than_zero(files: ElmoFiles) -> None:
    """Vectors are nearer than those from zeros to AllenNLP's after many readings."""
    sentences = _sentences(30)
    builtin = BuiltInEmbedder(*files, dropout=0.0).eval()
    for _ in range(READINGS):
        converged = _embed(builtin, sentences, batch_size=30)
    zero = embedder(files, encoder={"initial_state": "zero"})
    distances = {
        name: torch.cat([(a - b).abs().flatten() for a, b in zip(found, converged)]).mean()
        for name, found in (
            ("warm", _embed(_warm(files), sentences, 30)),
            ("zero", _embed(zero, sentences, 30)),
        )
    }
    assert distances["warm"] < 0.7 * distances["zero"]


def test_one_sentence_converges_where_the_builtin_does(files: ElmoFiles) -> None:
    """Warmed up by a sentence alone, that sentence has AllenNLP's converged vectors."""
    words = WORDS[:15]
    builtin = BuiltInEmbedder(*files, dropout=0.0).eval()
    for _ in range(READINGS + 10):
        (expected,) = _embed(builtin, [words], 1)
    (found,) = _embed(_warm(files, sentences=[" ".join(words)], repeats=30), [words], 1)
    assert (found - expected).abs().max() < 1e-4


def test_a_file_of_sentences_is_their_list(files: ElmoFiles, tmp_path: Path) -> None:
    """Each line of a file is a sentence, and empty lines are left out."""
    lines = ["Rain on the roof .", "We hear it ."]
    (tmp_path / "text.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    states = []
    for sentences in (lines, str(tmp_path / "text.txt")):
        module = _warm(files, sentences=sentences)
        _embed(module, [["Rain"]], 1)
        states.append(_state(module))
    assert torch.equal(*states)
    assert not torch.isnan(states[0]).any()


def test_a_text_is_read_once(files: ElmoFiles, tmp_path: Path) -> None:
    """After the first batch, and after loading a converged state, the file may be gone."""
    path = tmp_path / "text.txt"
    path.write_text("Rain on the roof .\n", encoding="utf-8")
    module = _warm(files, sentences=str(path))
    (expected,) = _embed(module, [["Rain"]], 1)
    path.unlink()
    loaded = _warm(files, sentences=str(path))
    loaded.load_state_dict(module.state_dict())
    for side in (module, loaded):
        assert torch.equal(_embed(side, [["Rain"]], 1)[0], expected)


def test_a_state_dict_without_a_state_converges_by_its_own_weights(tmp_path: Path) -> None:
    """After loading a model that had another initial state, the state is computed anew."""
    first, second = (write_elmo_files(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    module = _warm(first)
    _embed(module, [["Rain"]], 1)
    module.load_state_dict(embedder(second).state_dict())
    assert torch.equal(_embed(module, [["Rain"]], 1)[0], _embed(_warm(second), [["Rain"]], 1)[0])


def test_training_starts_from_one_state_throughout(tmp_path: Path) -> None:
    """While the biLM is trained, the state stays as it was before the first training step."""
    module = embedder(
        write_elmo_files(tmp_path, seed=4), requires_grad=True, encoder={"initial_state": "warm"}
    )
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    states = []
    for _ in range(2):
        optimizer.zero_grad()
        module(spell("Rain falls")).pow(2).sum().backward()
        optimizer.step()
        states.append(_state(module).clone())
    assert torch.equal(*states)


def test_converging_in_inference_mode_leaves_training_possible(tmp_path: Path) -> None:
    """The state that was found while predicting can be saved for a gradient."""
    module = embedder(
        write_elmo_files(tmp_path, seed=4), requires_grad=True, encoder={"initial_state": "warm"}
    )
    with torch.inference_mode():
        module(spell("Rain falls"))
    module(spell("Rain falls")).pow(2).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_converging_under_autocast_is_in_full_precision(tmp_path: Path) -> None:
    """The state does not depend on the precision of the first batch."""
    files, states = write_elmo_files(tmp_path, seed=4), []
    for enabled in (False, True):
        module = _warm(files)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            _embed(module, [["Rain"]], 1)
        states.append(_state(module))
    assert torch.equal(*states)


def test_layers_can_be_cached() -> None:
    """Nothing keeps a sentence's layers from being cached."""
    assert WarmState().uncacheable_reason() is None


def test_a_state_that_does_not_converge_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One reading from zeros changes the state, and the warning says by how much."""
    _embed(_warm(write_elmo_files(tmp_path), repeats=1), [["Rain"]], 1)
    assert "has not converged: the last of 1 readings" in caplog.text


def test_weights_that_are_not_numbers_are_told(tmp_path: Path) -> None:
    """A state of NaN is not taken for one that is yet to be computed."""
    module = _warm(write_elmo_files(tmp_path))
    assert isinstance(module.encoder, BilmEncoder)
    with torch.no_grad():
        next(module.encoder.bilm.lstm.parameters()).fill_(float("nan"))
    with pytest.raises(ConfigurationError, match="a finite state.*after the warm-up text"):
        _embed(module, [["Rain"]], 1)


@pytest.mark.parametrize(
    "params, expected",
    [
        ({"sentences": []}, "'sentences' has none"),
        ({"sentences": ["", " "]}, "'sentences' has none"),
        ({"repeats": 0}, "at least 1, got 0"),
    ],
)
def test_a_text_without_sentences_is_refused(params: dict, expected: str) -> None:
    """Each error says what was expected and what was there."""
    with pytest.raises(ConfigurationError, match=expected):
        WarmState(**params)


@pytest.mark.parametrize("content, expected", [(None, "there is none"), ("\n \n", "has none")])
def test_a_file_without_sentences_is_refused(tmp_path: Path, content: Any, expected: str) -> None:
    """A file that is missing or empty is named at the first batch."""
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    files = write_elmo_files(tmp_path)
    with pytest.raises(ConfigurationError, match=f"text.txt.*{expected}"):
        _embed(_warm(files, sentences=str(path)), [["Rain"]], 1)


@pytest.mark.parametrize("sentences", [["rain " * 513], ["rain " * 500] * 41])
def test_a_whole_corpus_is_refused(files: ElmoFiles, sentences: List[str]) -> None:
    """A text that would be read for hours is an error with its length."""
    with pytest.raises(ConfigurationError, match="at most 20,000 tokens.*has (513|20,500), and"):
        _embed(_warm(files, sentences=sentences), [["Rain"]], 1)


def test_many_sentences_are_read_in_batches(tmp_path: Path) -> None:
    """The mean over more sentences than one batch holds is the mean over all of them."""
    bilm = ElmoBilm.from_files(*write_elmo_files(tmp_path))
    texts = [" ".join(words) for words in _sentences(70)]
    whole, *halves = (WarmState(chosen) for chosen in (texts, texts[:35], texts[35:]))
    for state in (whole, *halves):
        state.allocate(bilm)
        assert state.cell.isnan().all() and state.hidden.isnan().all()
        state.prepare(bilm)
    mean = (halves[0].cell + halves[1].cell) / 2
    assert torch.allclose(whole.cell, mean, atol=1e-4)


def test_the_bundled_sentences_are_tokenized() -> None:
    """Punctuation stands apart, so that words are spelled as in a treebank."""
    assert len(WARM_UP_SENTENCES) >= 10
    for sentence in WARM_UP_SENTENCES:
        words = sentence.split(" ")
        assert all(words) and all(w.isalnum() or len(w) == 1 or "-" in w for w in words)


def test_one_thread_converges_for_all(files: ElmoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that make the first calls at once get one state, which is computed once."""
    computed: List[int] = []
    compute = WarmState._compute

    def count(self: WarmState, bilm: ElmoBilm) -> None:
        computed.append(1)
        compute(self, bilm)

    monkeypatch.setattr(WarmState, "_compute", count)
    module, expected = _warm(files), _embed(_warm(files), [["Rain", "falls"]], 1)[0]
    found = in_threads(lambda _: _embed(module, [["Rain", "falls"]], 1)[0])
    assert all(torch.allclose(vectors, expected, atol=1e-6) for vectors in found)
    assert len(computed) == 2


def test_a_state_is_never_seen_in_part(files: ElmoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step of writing it, a state that counts as known is whole."""
    bilm = ElmoBilm.from_files(*files)
    state = WarmState(["Rain falls ."])
    state.allocate(bilm)
    copy_ = torch.Tensor.copy_
    steps: List[bool] = []

    def copy_and_look(target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        copied = copy_(target, source)
        steps.append(state._is_unknown())
        assert steps[-1] or all(part.isfinite().all() for part in (state.hidden, state.cell))
        return copied

    monkeypatch.setattr(torch.Tensor, "copy_", copy_and_look)
    state.prepare(bilm)
    assert steps[0] and not steps[-1]
