"""The scalars of a training with ELMo in TensorBoard."""

import itertools
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set

import numpy
import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.training import TrainerCallback, gradient_descent_trainer
from allennlp.training.callbacks.log_writer import LogWriterCallback

from allennlp_elmo_plugin import BilmEncoder, ZeroState, spell_sentences
from allennlp_elmo_plugin.embedder import training_scalars
from allennlp_elmo_plugin.embedder.training_scalars import ElmoScalars
from tests.support.elmo_files import write_elmo_files
from tests.support.event_files import read_scalars
from tests.support.language_model_experiment import language_model
from tests.support.tagger_experiment import tagger, train

PATH = "elmo/text_field_embedder.token_embedder_elmo"
ZERO = {"encoder": {"type": "bilm", "initial_state": {"type": "zero"}}}
BATCH_SIZE, NUM_EPOCHS = 4, 3

recorded: List[Any] = []


@TrainerCallback.register("recorder")
class _Recorder(TrainerCallback):
    """Remembers the parameters of the scalar mixes after each training step."""

    def on_batch(self, trainer: Any, *args: Any, is_training: bool, **kwargs: Any) -> None:
        if is_training:
            parameters = trainer.model.named_parameters()
            found = {name: value.detach().numpy().copy() for name, value in parameters}
            recorded.append({name: found[name] for name in found if "scalar_mix" in name})


@pytest.fixture(autouse=True)
def _nothing_recorded() -> Iterator[None]:
    recorded.clear()
    yield
    recorded.clear()


def _with_tensorboard(config: Dict[str, Any], interval: int = 1, *others: str) -> Dict[str, Any]:
    callbacks = [{"type": "tensorboard", "summary_interval": interval}]
    config["trainer"]["callbacks"] = callbacks + [{"type": name} for name in others]
    return config


def _scalars(run: Path) -> Dict[str, Dict[int, float]]:
    """Returns the scalars of this package by their names and the number of the training step."""
    found = read_scalars(run / "log" / "train")
    # AllenNLP writes what it knows after n steps at n + 1.
    return {
        name: {step - 1: value for step, value in values.items()}
        for name, values in found.items()
        if name.startswith("elmo/")
    }


def _sentences(path: Path) -> List[List[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [[word.split("###")[0] for word in line.split("\t")] for line in lines]


def _batches(path: Path) -> List[List[List[str]]]:
    sentences = _sentences(path)
    return [sentences[k : k + BATCH_SIZE] for k in range(0, len(sentences), BATCH_SIZE)]


def test_the_mix_is_drawn(tmp_path: Path) -> None:
    """At each step, the weights are the softmax of the parameters, and gamma is gamma."""
    train(_with_tensorboard(tagger(tmp_path), 1, "recorder"), tmp_path / "run")
    scalars = _scalars(tmp_path / "run")
    assert len(recorded) == 9
    for step, parameters in enumerate(recorded, 1):
        values = [parameters[name] for name in sorted(parameters) if "scalar_parameters" in name]
        powers = numpy.exp(numpy.concatenate(values).astype("float64"))
        found = [scalars[f"{PATH}/mix_0_layer_{layer}"][step] for layer in range(3)]
        assert numpy.allclose(found, powers / powers.sum(), rtol=0, atol=1e-6)
        (gamma,) = [value for name, value in parameters.items() if name.endswith("gamma")]
        assert scalars[f"{PATH}/mix_0_gamma"][step] == pytest.approx(gamma.item(), abs=1e-6)
    assert scalars[f"{PATH}/mix_0_gamma"][9] != 1


def test_scalars_come_at_the_interval_of_tensorboard(tmp_path: Path) -> None:
    """The callback `tensorboard` says after how many steps scalars are written."""
    train(_with_tensorboard(tagger(tmp_path), 4), tmp_path / "run")
    scalars = _scalars(tmp_path / "run")
    assert {tuple(values) for values in scalars.values()} == {(4, 8)}
    assert set(scalars) == {
        *(f"{PATH}/mix_0_{name}" for name in ("layer_0", "layer_1", "layer_2", "gamma")),
        f"{PATH}/word_cache_hits",
        f"{PATH}/tokens_per_second",
    }


def test_hits_are_the_share_since_the_last_scalar(tmp_path: Path) -> None:
    """Words of the validation count as cached later on, but not as hits."""
    train(_with_tensorboard(tagger(tmp_path), 2), tmp_path / "run")
    seen: Set[str] = set()
    shares = []
    for _ in range(NUM_EPOCHS):
        for batch in _batches(tmp_path / "train.txt"):
            words = {"<S>", "</S>"}.union(*batch)
            shares.append((len(words & seen), len(words)))
            seen |= words
        for batch in _batches(tmp_path / "dev.txt"):
            seen |= set().union(*batch)
    found = _scalars(tmp_path / "run")[f"{PATH}/word_cache_hits"]
    assert sorted(found) == [2, 4, 6, 8]
    for step, share in found.items():
        hits, words = numpy.sum(shares[step - 2 : step], axis=0)
        assert share == pytest.approx(hits / words)
    assert found[2] < 1 and found[8] == 1


def test_sentences_of_later_epochs_are_cached(tmp_path: Path) -> None:
    """The activation cache has no sentence of the first epoch, and all of the second."""
    cache = {"type": "hdf5", "path": str(tmp_path / "cache")}
    config = tagger(tmp_path, activation_cache=cache, **ZERO)
    train(_with_tensorboard(config, 3), tmp_path / "run")
    sentences = [tuple(sentence) for sentence in _sentences(tmp_path / "train.txt")]
    found = _scalars(tmp_path / "run")
    assert found[f"{PATH}/activation_cache_hits"] == {
        3: pytest.approx(1 - len(set(sentences)) / len(sentences)),
        6: 1.0,
        9: 1.0,
    }
    # The character CNN was not asked for words any more.
    assert list(found[f"{PATH}/word_cache_hits"]) == [3]
    assert list(found[f"{PATH}/tokens_per_second"]) == [3, 6, 9]


def test_the_throughput_counts_tokens_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that goes on by 2 s a step, it is half the mean number of tokens of a step."""
    ticks = itertools.count(0, 2)
    monkeypatch.setattr(training_scalars.time, "perf_counter", lambda: float(next(ticks)))
    train(_with_tensorboard(tagger(tmp_path), 2), tmp_path / "run")
    found = _scalars(tmp_path / "run")[f"{PATH}/tokens_per_second"]
    counts = [sum(map(len, batch)) for batch in _batches(tmp_path / "train.txt")]
    # The first step of an epoch, which are 1, 4 and 7, is left out.
    assert found == {
        2: pytest.approx(counts[1] / 2),
        4: pytest.approx(counts[2] / 2),
        6: pytest.approx((counts[1] + counts[2]) / 4),
        8: pytest.approx(counts[1] / 2),
    }


def test_each_embedder_and_mix_has_scalars(tmp_path: Path) -> None:
    """Two embedders are told apart by the names of their modules, and a fixed mix draws nothing."""
    config = tagger(tmp_path)
    embedders = config["model"]["text_field_embedder"]["token_embedders"]
    fixed = {**embedders["elmo"], "scalar_mix_parameters": [1.0, 2.0, 3.0]}
    embedders["fixed"] = fixed
    config["dataset_reader"]["token_indexers"]["fixed"] = {"type": "elmo_characters"}
    config["model"]["encoder"]["input_size"] *= 2
    train(_with_tensorboard(config, 2), tmp_path / "run")
    names = set(_scalars(tmp_path / "run"))
    other = PATH.replace("_elmo", "_fixed")
    assert {name for name in names if name.startswith(other)} == {
        f"{other}/word_cache_hits",
        f"{other}/tokens_per_second",
    }
    assert f"{PATH}/mix_0_layer_2" in names


@TrainerCallback.register("remembering")
class _Remembering(LogWriterCallback):
    """Remembers the scalars of this package, like a writer to another place."""

    def log_scalars(self, scalars: Any, log_prefix: str = "", epoch: Any = None) -> None:
        if log_prefix == "elmo":
            assert self.trainer is not None
            recorded.append((self.trainer._total_batches_completed, scalars))


def test_each_writer_has_its_own_interval(tmp_path: Path) -> None:
    """The scalars of one writer take nothing from those of another, such as `wandb`."""
    config = _with_tensorboard(tagger(tmp_path), 1)
    config["trainer"]["callbacks"].append({"type": "remembering", "summary_interval": 3})
    train(config, tmp_path / "run")
    assert [step for step, _ in recorded] == [3, 6, 9]
    name = f"{PATH}/word_cache_hits"
    batches = _batches(tmp_path / "train.txt")
    weights = [len({"<S>", "</S>"}.union(*batch)) for batch in batches]
    each = [_scalars(tmp_path / "run")[name][step] for step in (1, 2, 3)]
    found = recorded[0][1][name[len("elmo/") :]]
    assert found == pytest.approx(numpy.average(each, weights=weights))


def test_an_encoder_alone_counts_its_tokens(tmp_path: Path) -> None:
    """A model that is an encoder has scalars without the name of a module."""
    files = write_elmo_files(tmp_path / "elmo")
    encoder = BilmEncoder.from_files(*files, initial_state=ZeroState())
    writer = _Remembering(str(tmp_path), summary_interval=1)

    class _Trainer:
        """As much of a trainer as the callbacks read."""

        _callbacks, model, _total_batches_completed = (writer,), encoder, 1

    trainer: Any = _Trainer()
    writer.trainer = trainer
    callback = ElmoScalars(str(tmp_path))
    callback.on_start(trainer)
    character_ids = spell_sentences([["the", "rain"], ["a"]])
    for number in (1, 2):
        encoder(encoder.make_batch(character_ids))
        callback.on_batch(trainer, [], [], {}, 0, number, True)
    assert callback._counts["tokens_per_second"][0] == 6
    first, second = (scalars for _, scalars in recorded)
    assert set(first) == {"word_cache_hits"}
    assert second["word_cache_hits"] == 1 and second["tokens_per_second"] > 0
    callback.on_end(trainer)


def test_a_recovered_training_goes_on_drawing(tmp_path: Path) -> None:
    """After `--recover`, the scalars go on with the number of the next step."""
    config = _with_tensorboard(tagger(tmp_path), 1)
    config["trainer"]["num_epochs"] = 1
    train(config, tmp_path / "run")
    assert sorted(_scalars(tmp_path / "run")[f"{PATH}/mix_0_gamma"]) == [1, 2, 3]
    # Event files are named by the second in which they begin.
    for path in (tmp_path / "run" / "log" / "train").iterdir():
        path.unlink()
    config["trainer"]["num_epochs"] = 2
    for name in ("model.tar.gz", "metrics.json"):
        (tmp_path / "run" / name).unlink()
    Params(config).to_file(str(tmp_path / "run" / "config.json"))
    train(config, tmp_path / "run", recover=True)
    scalars = _scalars(tmp_path / "run")
    assert sorted(scalars[f"{PATH}/mix_0_gamma"]) == [4, 5, 6]
    assert sorted(scalars[f"{PATH}/tokens_per_second"]) == [5, 6]


def test_a_training_without_tensorboard_draws_nothing(tmp_path: Path) -> None:
    """The model gets no hooks, and there are no event files."""
    config = tagger(tmp_path)
    config["trainer"]["num_epochs"] = 1
    model = train_model(Params(config), str(tmp_path / "run"))
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert not (tmp_path / "run" / "log").exists()


def test_the_hooks_end_with_the_training(tmp_path: Path) -> None:
    """The trained model counts no tokens any more."""
    config = _with_tensorboard(tagger(tmp_path))
    config["trainer"]["num_epochs"] = 1
    model = train_model(Params(config), str(tmp_path / "run"))
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_language_model_draws_its_throughput_once(tmp_path: Path) -> None:
    """A `bidirectional_lm` has it among its metrics, which `tensorboard` draws."""
    config = _with_tensorboard(language_model(tmp_path), 5)
    config["trainer"]["num_epochs"] = 1
    train(config, tmp_path / "run")
    names = read_scalars(tmp_path / "run" / "log" / "train")
    assert "train/batch_tokens_per_second" in names
    assert not any(name.startswith("elmo/") for name in names)


def test_it_is_a_default_callback() -> None:
    """It comes last, so checkpoints of older versions find the states of the other callbacks."""
    assert gradient_descent_trainer.DEFAULT_CALLBACKS[-1] is ElmoScalars


def test_another_process_draws_nothing(tmp_path: Path) -> None:
    """Only the primary process of a distributed training writes and counts."""
    callback = ElmoScalars(str(tmp_path))

    class _Trainer:
        """A trainer that must not be looked at."""

        _callbacks = ()

    callback.on_start(_Trainer(), is_primary=False)  # type: ignore[arg-type]
    callback.on_batch(_Trainer(), [], [], {}, 0, 1, True, False)  # type: ignore[arg-type]
    assert not callback._readers
