"""The model "bidirectional_lm": its loss and metrics, its training, its files and archives."""

import json
import shutil
from pathlib import Path
from typing import Any, Dict, List

import h5py
import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.models import Model, load_archive
from allennlp.modules.elmo import _ElmoBiLm
from allennlp.training.util import evaluate

from allennlp_elmo_plugin import (
    BidirectionalLm,
    BilmCorpusReader,
    BilmEncoder,
    CarryState,
    ElmoBilm,
    ZeroState,
)
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from tests.support.language_model_experiment import OPTIONS, language_model, train
from tests.support.many_langs_files import write_many_langs
from tests.support.oracle import Oracle
from tests.support.sentences import spell
from tests.support.tensorflow_bundle import TENSORFLOW_DATA
from tests.support.tensorflow_cases import CASES


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains shortly in a folder's `run`, and exports the model to its `exported`."""
    folder = tmp_path_factory.mktemp("trained")
    train(language_model(folder), folder / "run")
    load_archive(folder / "run").model.to_folder(folder / "exported")
    return folder


def _model(vocab: Vocabulary, **config: Any) -> Model:
    params = {"type": "bidirectional_lm", "options": OPTIONS, **config}
    return Model.from_params(Params(json.loads(json.dumps(params))), vocab=vocab)


def _from_exported(folder: Path, **config: Any) -> Model:
    vocab = Vocabulary.from_params(
        Params({"type": "bilm_vocabulary", "file": str(folder / "vocabulary.txt")})
    )
    files = {
        "options_file": str(folder),
        "weight_file": str(folder),
        "softmax_file": str(folder / "softmax.hdf5"),
    }
    return _model(vocab, **{"options": None, **files, **config})


def _loader(path: Path, vocab: Vocabulary, **reader: Any) -> MultiProcessDataLoader:
    config = {"batch_size": 4, **reader}
    loader = MultiProcessDataLoader(
        BilmCorpusReader(**config),
        str(path),
        batch_size=config["batch_size"],
        max_instances_in_memory=config["batch_size"],
        quiet=True,
    )
    loader.index_with(vocab)
    return loader


def _measured(model: Model, path: Path, **reader: Any) -> Dict[str, float]:
    return evaluate(model, _loader(path, model.vocab, **reader), cuda_device=-1)


def _sentences(path: Path) -> List[List[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()]


def _oracle_losses(folder: Path, sentences: List[List[str]]) -> Dict[str, float]:
    """Computes each direction's mean loss in NumPy, from files and every sentence from zeros."""
    words = (folder / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    with h5py.File(folder / "softmax.hdf5", "r") as file:
        weight, bias = (numpy.array(file["softmax"][name], dtype="float64") for name in "Wb")
    oracle = Oracle(str(folder / "options.json"), str(folder / "weights.hdf5"))
    losses: Dict[str, List[float]] = {"forward": [], "backward": []}
    for sentence in sentences:
        top = oracle.batch_layers([sentence]).layers[-1, 0]
        tokens = ["<S>", *sentence, "</S>"]
        ids = [words.index(word if word in words else "<UNK>") for word in tokens]
        size = top.shape[1] // 2
        seen = {
            "forward": zip(top[:-1, :size], ids[1:]),
            "backward": zip(top[1:, size:], ids[:-1]),
        }
        for direction, pairs in seen.items():
            for vector, target in pairs:
                logits = weight @ vector + bias
                losses[direction].append(numpy.log(numpy.exp(logits).sum()) - logits[target])
    return {direction: float(numpy.mean(its)) for direction, its in losses.items()}


def test_its_loss_is_that_of_the_exported_files(trained: Path) -> None:
    """The loss of sentences from zeros is that of an oracle with the whole vocabulary."""
    model = load_archive(trained / "run").model
    measured = _measured(model, trained / "dev.txt", num_steps=None)
    expected = _oracle_losses(trained / "exported", _sentences(trained / "dev.txt"))
    for direction, loss in expected.items():
        assert measured[f"{direction}_loss"] == pytest.approx(loss, abs=1e-5)
        assert measured[f"{direction}_perplexity"] == pytest.approx(numpy.exp(loss), rel=1e-5)
    mean = sum(expected.values()) / 2
    assert measured["perplexity"] == pytest.approx(numpy.exp(mean), rel=1e-5)


def test_allennlp_reads_an_exported_bilm(trained: Path) -> None:
    """AllenNLP's built-in gives the layers of the trained biLM from its exported files."""
    files = [str(trained / "exported" / name) for name in ("options.json", "weights.hdf5")]
    options = json.loads((trained / "exported" / "options.json").read_text())
    assert options["char_cnn"]["n_characters"] == 262
    ids = spell(*_sentences(trained / "dev.txt")[:6])
    model: Any = load_archive(trained / "run").model
    exported = ElmoBilm.from_files(*files)
    assert all(
        torch.equal(weight, exported.state_dict()[name])
        for name, weight in model.bilm.state_dict().items()
    )
    built_in = _ElmoBiLm(*files)(ids)["activations"]
    batch = SentenceBatch.from_padded(ids, ids.size(-1))
    layers = BilmEncoder(model.bilm, ZeroState())(batch).layers
    for mine, theirs in zip(layers, built_in):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_windows_go_on_where_the_last_one_ended(trained: Path) -> None:
    """The losses of a stream do not depend on the size of its windows."""
    model = load_archive(trained / "run").model
    measured = [
        _measured(model, trained / "dev.txt", num_steps=steps, batch_size=1)["forward_loss"]
        for steps in (1, 7, 1000)
    ]
    assert measured[0] == pytest.approx(measured[1], abs=1e-5)
    assert measured[0] == pytest.approx(measured[2], abs=1e-5)


def test_an_evaluation_leaves_the_streams_of_a_training_alone(trained: Path) -> None:
    """A training goes on after a validation as if there had been none."""
    vocab = load_archive(trained / "run").model.vocab
    losses = []
    for validates in (False, True):
        torch.manual_seed(0)
        model = _model(vocab, dropout=0.0)
        batches = list(_loader(trained / "train_0.txt", vocab))
        first = model(**batches[0])
        if validates:
            _measured(model, trained / "dev.txt")
            model.train()
        losses.append((first["loss"].item(), model(**batches[1])["loss"].item()))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("num_samples", [None, 8])
def test_it_learns(tmp_path: Path, num_samples: Any) -> None:
    """A training on two sentences that alternate ends with a low perplexity."""
    config = language_model(tmp_path, num_samples=num_samples, dropout=0.0)
    config["trainer"].update(num_epochs=6, optimizer={"type": "adam", "lr": 0.03})
    lines = ["the rain falls\n", "the sun shines\n"] * 60
    config["train_data_path"] = str(tmp_path / "train_0.txt")
    (tmp_path / "train_0.txt").write_text("".join(lines))
    (tmp_path / "dev.txt").write_text("".join(lines[:20]))
    metrics = train(config, tmp_path / "run")
    assert metrics["best_validation_perplexity"] < 3


def test_the_softmax_is_sampled_in_training_alone(trained: Path) -> None:
    """The loss is an estimate in training mode, and that of the full softmax at evaluation."""
    vocab = load_archive(trained / "run").model.vocab
    torch.manual_seed(0)
    whole = _model(vocab, dropout=0.0)
    sampled = _model(vocab, dropout=0.0, num_samples=4)
    sampled.load_state_dict(whole.state_dict())
    (batch, *_) = _loader(trained / "dev.txt", vocab)
    estimate, loss = sampled(**batch)["loss"], whole(**batch)["loss"]
    assert (estimate - loss).abs() > 1e-3
    assert torch.equal(sampled.eval()(**batch)["loss"], whole.eval()(**batch)["loss"])


def test_unknown_words_count_as_one(trained: Path, tmp_path: Path) -> None:
    """Words that the vocabulary lacks have one row of the softmax, and a metric is their share."""
    (tmp_path / "text.txt").write_text("the zebra sleeps\nthe yak sleeps\n")
    model = load_archive(trained / "run").model
    measured = _measured(model, tmp_path / "text.txt", num_steps=None)
    assert measured["unknown_words"] == pytest.approx(4 / 8)


def test_it_goes_on_from_files(trained: Path) -> None:
    """A model from weights, softmax and vocabulary files is the one that wrote them."""
    expected = _measured(load_archive(trained / "run").model, trained / "dev.txt")
    measured = _measured(_from_exported(trained / "exported"), trained / "dev.txt")
    for name in ("forward_loss", "backward_loss", "unknown_words"):
        assert measured[name] == pytest.approx(expected[name], abs=1e-6)


def test_it_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    """A checkpoint of bilm-tf is read with its softmax, and written as HDF5 files."""
    name = "trained/model.ckpt-12"
    words = "<S>\n</S>\n<UNK>\nthe\nrain\nfalls\n.\n"
    (tmp_path / "vocabulary.txt").write_text(words)
    vocab = Vocabulary.from_params(
        Params({"type": "bilm_vocabulary", "file": str(tmp_path / "vocabulary.txt")})
    )
    index = str(TENSORFLOW_DATA / f"{name}.index")
    files = {"options_file": index, "weight_file": index, "softmax_file": index}
    _model(vocab, options=None, **files).to_folder(tmp_path / "written")
    with h5py.File(tmp_path / "written" / "softmax.hdf5", "r") as file:
        for weight in ("W", "b"):
            expected = CASES[name].variables[f"lm/softmax/{weight}"]
            assert file[f"softmax/{weight}"][()].tobytes() == expected.tobytes()
    with h5py.File(tmp_path / "written" / "weights.hdf5", "r") as file:
        for dataset, array in CASES[name].datasets.items():
            assert numpy.array_equal(file[dataset][()], array), dataset
    assert (tmp_path / "written" / "vocabulary.txt").read_text() == words


def test_it_goes_on_with_a_new_softmax(trained: Path) -> None:
    """The biLM of another domain's model may have other words to predict."""
    vocab = Vocabulary(tokens_to_add={"tokens": ["<S>", "</S>", "fog"]})
    folder = str(trained / "exported")
    model: Any = _model(vocab, options=None, options_file=folder, weight_file=folder)
    trained_before: Any = load_archive(trained / "run").model
    assert model.softmax.weight.shape == (5, 16)
    assert all(
        torch.equal(weight, trained_before.bilm.state_dict()[name])
        for name, weight in model.bilm.state_dict().items()
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"options": None}, ["options_file", "neither"]),
        ({"options_file": "elmo"}, ["options_file", "both"]),
        ({"weight_file": "elmo"}, ["options_file", "weight_file", "elmo"]),
        ({"dropout": 1.0}, ["dropout", "1.0"]),
        ({"num_samples": 100}, ["num_samples", "100"]),
    ],
)
def test_a_bad_config_is_refused(trained: Path, config: Dict[str, Any], words: List[str]) -> None:
    """The error names the keys at fault."""
    model = load_archive(trained / "run").model
    (batch, *_) = _loader(trained / "dev.txt", model.vocab)
    with pytest.raises(ConfigurationError) as raised:
        _model(model.vocab, **config)(**batch)
    assert all(word in str(raised.value) for word in words)


def test_an_archive_needs_no_files(trained: Path, tmp_path: Path) -> None:
    """A model that was built from files is evaluated without them."""
    files = tmp_path / "elmo"
    shutil.copytree(trained / "exported", files)
    config = language_model(
        tmp_path,
        options=None,
        options_file=str(files),
        weight_file=str(files),
        softmax_file=str(files / "softmax.hdf5"),
    )
    del config["model"]["options"]
    config["vocabulary"] = {"type": "bilm_vocabulary", "file": str(files / "vocabulary.txt")}
    config["trainer"]["num_epochs"] = 1
    expected = train(config, tmp_path / "run")
    shutil.rmtree(files)
    model = load_archive(tmp_path / "run" / "model.tar.gz").model
    measured = _measured(model, tmp_path / "dev.txt", num_steps=None)
    assert measured["forward_loss"] == pytest.approx(expected["validation_forward_loss"], abs=1e-6)


def test_a_published_elmo_is_measured_without_training(trained: Path, tmp_path: Path) -> None:
    """AllenNLP's trainer "no_op" makes an archive of files, for `allennlp evaluate`."""
    files = trained / "exported"
    config = language_model(
        tmp_path,
        options_file=str(files),
        weight_file=str(files),
        softmax_file=str(files / "softmax.hdf5"),
    )
    del config["model"]["options"]
    config["vocabulary"] = {"type": "bilm_vocabulary", "file": str(files / "vocabulary.txt")}
    config["trainer"] = {"type": "no_op"}
    train(config, tmp_path / "run")
    model = load_archive(tmp_path / "run" / "model.tar.gz").model
    expected = _measured(load_archive(trained / "run").model, trained / "dev.txt")
    measured = _measured(model, trained / "dev.txt")
    assert measured["forward_loss"] == pytest.approx(expected["forward_loss"], abs=1e-6)


def test_sentences_start_from_the_initial_state(trained: Path) -> None:
    """`initial_state` decides where each sentence starts that is a window of its own."""
    losses = {}
    for name in ("zero", "warm", "carry"):
        overrides = {"model.initial_state": {"type": name}}
        model = load_archive(trained / "run", overrides=overrides).model
        losses[name] = _measured(model, trained / "dev.txt", num_steps=None)["forward_loss"]
    assert len({round(loss, 4) for loss in losses.values()}) == 3
    alone = trained / "alone.txt"
    alone.write_text("the rain falls .\n" * 3)
    for name, is_constant in (("zero", True), ("warm", True), ("carry", False)):
        overrides = {"model.initial_state": {"type": name}}
        model = load_archive(trained / "run", overrides=overrides).model
        seen = [
            model.eval()(**batch)["loss"].item()
            for batch in _loader(alone, model.vocab, num_steps=None, batch_size=1)
        ]
        assert (max(seen) - min(seen) < 1e-6) == is_constant


def test_a_batch_of_empty_windows_changes_nothing(trained: Path, tmp_path: Path) -> None:
    """The loss is finite where fewer streams have text than a batch has rows."""
    (tmp_path / "short.txt").write_text("rain .\n")
    model = load_archive(trained / "run").model
    loader = _loader(tmp_path / "short.txt", model.vocab, num_steps=2)
    batches = list(loader)
    assert [row["window"] for row in batches[0]["metadata"]] == [0, 0, 0, 0]
    losses = [model.train()(**batch)["loss"] for batch in batches]
    assert all(loss.isfinite() for loss in losses)


def test_it_computes_in_bfloat16(trained: Path) -> None:
    """Under autocast all gradients are finite, and the loss itself is float32."""
    model = load_archive(trained / "run").model.train()
    (batch, *_) = _loader(trained / "dev.txt", model.vocab)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**batch)["loss"]
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_tensorboard_gets_the_metrics(tmp_path: Path) -> None:
    """AllenNLP's callback "tensorboard" gets both perplexities and the throughput."""
    config = language_model(tmp_path)
    config["trainer"]["callbacks"] = [{"type": "tensorboard", "summary_interval": 5}]
    train(config, tmp_path / "run")
    written = b"".join(path.read_bytes() for path in (tmp_path / "run" / "log").rglob("events.*"))
    for name in (b"forward_perplexity", b"backward_perplexity", b"tokens_per_second"):
        assert name in written


def test_a_sentence_is_read_to_its_end(trained: Path, tmp_path: Path) -> None:
    """With `carry`, a sentence starts where the last one ended, with its boundary, as embedded."""
    model: Any = load_archive(
        trained / "run", overrides={"model.initial_state": {"type": "carry"}}
    ).model.eval()
    encoder = BilmEncoder(model.bilm, CarryState()).eval()
    (tmp_path / "text.txt").write_text("the rain falls .\nthe sun\nrain .\n")
    loader = _loader(tmp_path / "text.txt", model.vocab, num_steps=None, batch_size=1)
    for batch, sentence in zip(loader, _sentences(tmp_path / "text.txt")):
        model.get_metrics(reset=True)
        model(**batch)
        top = encoder(SentenceBatch.from_padded(spell(sentence), 50)).layers[-1, 0]
        ids = [model.vocab.get_token_index(word) for word in ["<S>", *sentence, "</S>"]]
        forward, backward = top.chunk(2, dim=-1)
        expected = {
            "forward_loss": model.softmax(forward[:-1], torch.tensor(ids[1:])),
            "backward_loss": model.softmax(backward[1:], torch.tensor(ids[:-1])),
        }
        for name, losses in expected.items():
            assert model.get_metrics()[name] == pytest.approx(losses.mean().item(), abs=1e-5)


def test_inputs_may_be_padded_further(trained: Path) -> None:
    """The loss does not depend on the width of a batch."""
    model = load_archive(trained / "run").model.eval()
    for steps in (None, 5):
        (batch, *_) = _loader(trained / "dev.txt", model.vocab, num_steps=steps)
        expected = model(**batch)["loss"]
        for name in ("forward_inputs", "backward_inputs"):
            ids = batch[name]["elmo"]["elmo_tokens"]
            batch[name]["elmo"]["elmo_tokens"] = torch.nn.functional.pad(ids, (0, 0, 0, 7))
        assert torch.allclose(model(**batch)["loss"], expected, atol=1e-6)


def test_the_first_word_of_a_vocabulary_file_counts(trained: Path, tmp_path: Path) -> None:
    """A word with id 0, which is padding in AllenNLP's own vocabularies, is predicted too."""
    (tmp_path / "words.txt").write_text("</S>\n<S>\n<UNK>\nrain\n")
    vocab = Vocabulary.from_params(
        Params({"type": "bilm_vocabulary", "file": str(tmp_path / "words.txt")})
    )
    (tmp_path / "text.txt").write_text("rain zebra\nrain\n")
    measured = _measured(_model(vocab), tmp_path / "text.txt", num_steps=None)
    assert measured["unknown_words"] == pytest.approx(1 / 5)


def test_directions_of_other_lengths_are_refused(trained: Path) -> None:
    """The error names the number of tokens in each row of both directions."""
    model = load_archive(trained / "run").model
    (batch, *_) = _loader(trained / "dev.txt", model.vocab, num_steps=5)
    ids = batch["backward_inputs"]["elmo"]["elmo_tokens"]
    ids[1, -1] = 0
    with pytest.raises(ConfigurationError, match=r"'backward_inputs'.*5, 4, 5, 5.*5, 5, 5, 5"):
        model(**batch)


def test_wrong_character_ids_are_refused(trained: Path) -> None:
    """Inputs are checked like those of the embedder."""
    model = load_archive(trained / "run").model
    (batch, *_) = _loader(trained / "dev.txt", model.vocab)
    batch["forward_inputs"]["elmo"]["elmo_tokens"] += 200
    with pytest.raises(ConfigurationError, match="from 0 to 261"):
        model(**batch)


def test_a_bilm_with_a_dictionary_is_refused(tmp_path: Path) -> None:
    """The corpus reader spells words as bytes, which such a biLM does not read."""
    path = str(write_many_langs(tmp_path))
    vocab = Vocabulary(tokens_to_add={"tokens": ["a"]})
    with pytest.raises(ConfigurationError, match="got one with a dictionary of 10 words"):
        BidirectionalLm.from_files(vocab, options_file=path, weight_file=path)
