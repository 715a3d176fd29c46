"""The biLM that comes with the plugin is small, loads everywhere and has learnt something."""

from pathlib import Path

import pytest
import torch
from allennlp.modules.elmo import _ElmoBiLm, batch_to_ids

import allennlp_elmo_plugin
from allennlp_elmo_plugin import BilmEncoder, ElmoBilm, ElmoTokenEmbedder, SentenceBatch, ZeroState
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer

FOLDER = Path(allennlp_elmo_plugin.__file__).parent / "pretrained" / "small"
NAME = "pretrained:small"
LARGEST_FILE = 6_000_000


def test_it_is_small() -> None:
    """The folder has all files of a language model and a README, of less than 6 MB together."""
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    names = ["README.md", "options.json", "softmax.hdf5", "vocabulary.txt", "weights.hdf5"]
    assert sorted(files) == names
    assert sum(files.values()) < LARGEST_FILE


def test_allennlp_reads_it() -> None:
    """AllenNLP's built-in class gives the same layers."""
    ids = batch_to_ids([["The", "rain", "falls", "."], ["Caf\u00e9", "!"]])
    bilm = ElmoBilm.from_files(NAME, NAME)
    layers = BilmEncoder(bilm, ZeroState())(SentenceBatch.from_padded(ids, 50)).layers
    files = (str(FOLDER / name) for name in ("options.json", "weights.hdf5"))
    for mine, theirs in zip(layers, _ElmoBiLm(*files)(ids)["activations"]):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_it_is_named_in_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name works in any working directory."""
    monkeypatch.chdir(tmp_path)
    embedder = ElmoTokenEmbedder(NAME, NAME)
    assert embedder(batch_to_ids([["rain"]])).shape == (1, 1, 256)


def test_it_has_learnt_the_meaning_of_a_word_in_context() -> None:
    """The noun "walk" is more similar to the noun "rest" than to the verb "walk"."""
    encoder = BilmEncoder(ElmoBilm.from_files(NAME, NAME), ZeroState())
    sentences = [
        ["He", "took", "a", "long", "walk", "."],
        ["He", "took", "a", "long", "rest", "."],
        ["They", "will", "walk", "home", "."],
    ]
    with torch.no_grad():
        top = encoder(SentenceBatch.from_padded(batch_to_ids(sentences), 50)).layers[-1]
    walk, rest, to_walk = top[0, 5], top[1, 5], top[2, 3]
    similar = torch.cosine_similarity
    assert similar(walk, rest, dim=0) > similar(walk, to_walk, dim=0)


def test_it_gives_the_words_of_a_sentence_a_probability() -> None:
    """It expects a word that is usual in its place more than one that is not."""
    scorer = ElmoScorer.load(NAME)
    usual, unusual = scorer.score([["He", "was", "tired", "."], ["He", "tired", "was", "."]])
    assert len(scorer.language_model.words) == 20_000
    assert (usual[..., 0].sum(axis=1) > unusual[..., 0].sum(axis=1)).all()
