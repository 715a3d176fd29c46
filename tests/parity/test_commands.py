"""AllenNLP's commands give what they give with AllenNLP's embedder."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import torch
from allennlp.commands import find_learning_rate
from allennlp.models import load_archive

from tests.parity.command_line import SIDES, allennlp, assert_same_course, write_config
from tests.parity.sides import TOLERANCE, assert_close
from tests.support.tagger_experiment import (
    epoch_metrics,
    final_metrics,
    read_probabilities,
    write_data,
)

TRAINED = {"requires_grad": True, "projection_dim": 6}
EMBEDDER = "model.text_field_embedder.token_embedders.elmo"

DIFF_LINE = re.compile(r"([ +!-])(\S+), shape = (\(.*?\))(?:, distance = (.*))?")


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Older versions of termcolor know no other variable.
    monkeypatch.setenv("ANSI_COLORS_DISABLED", "1")
    return tmp_path


def diff(name: str, *arguments: str) -> List[Tuple[str, str, str, float]]:
    """Returns the mark, the name, the shape and the distance of each parameter of a diff."""
    lines = allennlp(name, "diff", *arguments).splitlines()
    matches = [DIFF_LINE.fullmatch(line) for line in lines]
    steps = [(*m.groups()[:3], float(m.group(4) or 0.0)) for m in matches if m is not None]
    assert len(steps) == len(lines) > 0
    return steps  # type: ignore[return-value]


def num_parameters(archive: str) -> int:
    """Returns the number of tensors in the weights of an archive."""
    with tarfile.open(archive) as files:
        weights = files.extractfile("weights.th")
        assert weights is not None
        return len(torch.load(weights))


def test_diff_with_a_training_of_the_built_in_keeps_every_parameter(folder: Path) -> None:
    """Archives that both sides trained from one seed have the same parameters in one order."""
    write_config(folder, **TRAINED)
    archives = [f"{name}/model.tar.gz" for name in SIDES]
    for name in SIDES:
        allennlp(name, "train", "config.json", "-s", name)
    steps = diff("found", *archives)
    assert {mark for mark, *_ in steps} == {" "}
    assert len(steps) == num_parameters(archives[0]) == num_parameters(archives[1]) > 30


def test_diff_with_the_same_weights_in_the_built_in_is_zero(folder: Path) -> None:
    """Weights of the built-in that the plugin loads and saves are the same to the bit."""
    write_config(folder, vocab_to_cache=["@@PADDING@@", "the", "rain"], **TRAINED)
    allennlp("expected", "train", "config.json", "-s", "expected")
    torch.save(load_archive("expected/model.tar.gz").model.state_dict(), "saved.th")
    steps = diff("found", "expected/model.tar.gz", "saved.th", "--threshold", "0")
    assert {mark for mark, *_ in steps} == {" "}
    assert len(steps) == num_parameters("expected/model.tar.gz")


@pytest.mark.parametrize("is_trained", [False, True])
def test_diff_of_two_epochs_marks_what_it_marks_with_the_built_in(
    folder: Path, is_trained: bool
) -> None:
    """A diff of two checkpoints of a training shows the same changes, by the same distances."""
    write_config(folder, {"checkpointer": {"keep_most_recent_by_count": None}}, projection_dim=6)
    overrides = json.dumps({f"{EMBEDDER}.requires_grad": is_trained})
    diffs = []
    for name in SIDES:
        allennlp(name, "train", "config.json", "-s", name, "-o", overrides)
        checkpoints = [f"{name}/model_state_e{epoch}_b0.th" for epoch in (1, 3)]
        diffs.append(diff(name, *checkpoints))
    expected, found = diffs
    assert [step[:3] for step in found] == [step[:3] for step in expected]
    changes = [name for mark, name, *_ in expected if mark == "!"]
    assert any("scalar_mix_0.gamma" in name for name in changes)
    assert any("_elmo_lstm" in name for name in changes) is is_trained
    # The command rounds to four digits.
    for ours, theirs in zip(found, expected):
        assert ours[3] == pytest.approx(theirs[3], abs=1.1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_diff_of_an_archive_in_lower_precision(folder: Path, precision: str, sizes: str) -> None:
    """Weights of an archive that was rounded equal themselves, and the built-in's but rounded."""
    if sizes == "plain":
        pytest.skip("these sizes cannot be rounded")
    write_config(folder)
    allennlp("expected", "train", "config.json", "-s", "expected")
    encoder = {"type": "bilm", "precision": precision, "initial_state": {"type": "zero"}}
    write_config(folder, encoder=encoder)
    allennlp("found", "train", "config.json", "-s", "found")
    ours, theirs = "found/model.tar.gz", "expected/model.tar.gz"
    steps = diff("found", ours, ours, "--threshold", "0")
    assert {mark for mark, *_ in steps} == {" "}
    assert len(steps) == num_parameters(ours)
    steps = diff("found", theirs, ours)
    names = {mark: {name for found, name, *_ in steps if found == mark} for mark in " !+-"}
    # Biases stand before the weights that were rounded, so a diff shows some as moved.
    assert names["+"] == names["-"]
    rounded = [distance for mark, name, _, distance in steps if "_elmo_lstm" in name and distance]
    assert 0 < max(rounded) < 0.01


def test_find_lr_measures_the_losses_of_the_built_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`find-lr` tries the same learning rates and finds the same smoothed losses."""
    write_config(folder, {"no_grad": [".*_token_embedder.*"]}, **TRAINED)
    plots: List[Tuple[List[float], List[float]]] = []
    # Plotting needs matplotlib.
    monkeypatch.setattr(
        find_learning_rate, "_save_plot", lambda rates, losses, path: plots.append((rates, losses))
    )
    for name in SIDES:
        limits = ["--start-lr", "1e-4", "--end-lr", "0.1", "--num-batches", "20"]
        allennlp(name, "find-lr", "config.json", "-s", name, *limits)
    (rates, losses), (our_rates, our_losses) = plots
    assert our_rates == rates
    assert len(losses) == 21 and max(losses) - min(losses) > 0.01
    assert_close(our_losses, losses)


def test_build_vocab_writes_the_files_of_the_built_in(folder: Path) -> None:
    """`build-vocab` counts tags and no characters or words of the indexer."""
    write_config(folder)
    vocabularies: List[Dict[str, bytes]] = []
    for name in SIDES:
        allennlp(name, "build-vocab", "config.json", f"{name}.tar.gz")
        with tarfile.open(f"{name}.tar.gz") as files:
            vocabularies.append(
                {member.name: files.extractfile(member).read() for member in files}  # type: ignore
            )
    expected, found = vocabularies
    assert found == expected
    assert sorted(expected["labels.txt"].split()) == [b"D", b"N", b"V"]


def test_evaluate_of_several_files_agrees(folder: Path) -> None:
    """`evaluate` writes the same metrics and predictions, with the state of the file before."""
    write_config(folder, **TRAINED)
    allennlp("expected", "train", "config.json", "-s", "run")
    for seed in (5, 6):
        write_data(folder / f"{seed}.txt", seed, 9)
    results: List[Dict[str, Any]] = []
    for name in SIDES:
        (folder / name).mkdir()
        metrics, predictions = (
            [f"{name}/{kind}_{seed}" for seed in (5, 6)] for kind in ("metrics", "predictions")
        )
        arguments = ["--output-file", ",".join(metrics), "--batch-size", "4"]
        arguments += ["--predictions-output-file", ",".join(predictions)]
        allennlp(name, "evaluate", "run/model.tar.gz", "5.txt,6.txt", *arguments)
        results.append(
            {
                "metrics": [json.loads(Path(path).read_text()) for path in metrics],
                "probabilities": [read_probabilities(Path(path)) for path in predictions],
            }
        )
    expected, found = results
    for number in range(2):
        ours, theirs = (result["metrics"][number] for result in (found, expected))
        assert ours == pytest.approx(theirs, abs=TOLERANCE)
        assert theirs["loss"] > 0
        assert_close(found["probabilities"][number], expected["probabilities"][number])
    assert expected["metrics"][0] != expected["metrics"][1]


def test_predict_with_the_dataset_reader_agrees(folder: Path) -> None:
    """`predict --use-dataset-reader` writes the same tags and probabilities."""
    write_config(folder, **TRAINED)
    allennlp("expected", "train", "config.json", "-s", "run")
    for name in SIDES:
        options = ["--use-dataset-reader", "--batch-size", "2", "--silent"]
        # This predictor writes everything that a model returns, and needs no model of spaCy.
        options += ["--predictor", "text_classifier", "--output-file", f"{name}.jsonl"]
        allennlp(name, "predict", "run/model.tar.gz", "dev.txt", *options)
    expected, found = (
        [json.loads(line) for line in Path(f"{name}.jsonl").read_text().splitlines()]
        for name in SIDES
    )
    assert len(found) == len(expected) == 9
    for ours, theirs in zip(found, expected):
        assert ours["words"] == theirs["words"]
        assert ours["tags"] == theirs["tags"]
        assert_close(ours["class_probabilities"], theirs["class_probabilities"])


def test_a_dry_run_writes_what_it_writes_with_the_built_in(folder: Path) -> None:
    """`train --dry-run` writes the same vocabulary and config, and trains nothing."""
    write_config(folder, **TRAINED)
    runs: List[Dict[str, str]] = []
    for name in SIDES:
        allennlp(name, "train", "config.json", "-s", name, "--dry-run")
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        # These two have times in them.
        varying = ("out.log", "meta.json")
        runs.append({path.name: path.read_text() for path in files if path.name not in varying})
    expected, found = runs
    assert found == expected
    assert {"config.json", "labels.txt"} <= set(expected)
    assert not [name for name in expected if name.endswith((".th", ".tar.gz"))]


def test_overrides_agree(folder: Path) -> None:
    """`train -o` changes the embedder and the trainer in the same way."""
    write_config(folder)
    overrides = {
        f"{EMBEDDER}.requires_grad": True,
        f"{EMBEDDER}.do_layer_norm": True,
        f"{EMBEDDER}.dropout": 0.3,
        "trainer.num_epochs": 2,
        "pytorch_seed": 7,
    }
    for name in SIDES:
        allennlp(name, "train", "config.json", "-s", name, "-o", json.dumps(overrides))
    assert_same_course(folder, num_epochs=2)
    allennlp("found", "train", "config.json", "-s", "plain")
    plain, found = (epoch_metrics(folder / name)[1] for name in ("plain", "found"))
    assert found != pytest.approx(plain, abs=10 * TOLERANCE)


def interrupt(run: str) -> None:
    """Undoes the last of three epochs, as if the training had been stopped before."""
    for state in Path(run).glob("*_state_e3_b0.th"):
        state.unlink()
    for name in ("metrics_epoch_2.json", "metrics.json", "model.tar.gz"):
        (Path(run) / name).unlink()


def test_a_recovered_training_agrees_with_an_unbroken_one(folder: Path) -> None:
    """`train --recover` ends at the numbers of AllenNLP's class in a training without a break."""
    write_config(folder, **TRAINED)
    for name in SIDES:
        allennlp(name, "train", "config.json", "-s", name)
    interrupt("found")
    allennlp("found", "train", "config.json", "-s", "found", "--recover")
    assert_same_end(folder)


def test_a_training_recovers_without_the_plugin(folder: Path) -> None:
    """A training that goes on without the plugin ends as one that AllenNLP's class began."""
    write_config(folder, **TRAINED)
    for name in SIDES:
        allennlp(name, "train", "config.json", "-s", name)
        interrupt(name)
        allennlp("expected", "train", "config.json", "-s", name, "--recover")
    assert_same_end(folder)


def assert_same_end(folder: Path) -> None:
    """Fails if the metrics of two trainings differ after an epoch or at the end."""
    assert_same_course(folder)
    expected, found = (final_metrics(folder / name) for name in SIDES)
    assert found == pytest.approx(expected, abs=TOLERANCE)
    assert expected["training_loss"] > 0
