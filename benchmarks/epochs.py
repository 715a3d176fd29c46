"""
Time of an epoch of training a tagger, with and without the activation cache on disk.
"""

import json
import os
from contextlib import redirect_stderr
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterable, List, NamedTuple

from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.common.util import prepare_environment

from allennlp_elmo_plugin import ElmoOptions
from benchmarks.report import Section, Table, times
from benchmarks.sentences import Sentence
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP

__all__ = ["measure_epochs", "write_tagged"]

BATCH_SIZE = 64
UNCACHED, CACHED, FLOOR = "plugin", "plugin, cache 'hdf5'", "frozen 'embedding'"
METRICS = ("loss", "accuracy")
LONGEST_TAG = 9


class Epoch(NamedTuple):
    """
    Time and metrics of an epoch, as the trainer writes them.

    # Parameters

    seconds : `float`
        Wall-clock time of the epoch.
    metrics : `Dict[str, float]`
        Training metrics at its end, by name.
    """

    seconds: float
    metrics: Dict[str, float]


def measure_epochs(settings: Settings) -> Section:
    """
    Trains AllenNLP's `simple_tagger` with each side's embedder and takes the time of its epochs.

    The tagger is one linear layer between the vectors and generated tags, and trains on all
    sentences. The biLM is frozen. The plugin's sides start from the `warm` state and have the
    default word cache. The floor is an `embedding`: a frozen vector for each word, without a biLM.
    The trainer takes the time. It neither validates nor saves; the activation cache is written in
    the first epoch.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Seconds of the first epoch, and the median of as many later ones as there are rounds, for
        the smallest shape in float32. AllenNLP's class caches nothing, so it has one epoch.
    """
    shape = settings.smallest
    with TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "sentences.txt"
        write_tagged(settings.sentences, data)
        epochs = {
            side: _train(
                _experiment(side, settings.models[shape], data, folder / "cache"),
                1 if side == ALLENNLP else 1 + settings.rounds,
                folder / str(number),
            )
            for number, side in enumerate((ALLENNLP, UNCACHED, CACHED, FLOOR))
        }
    seconds = {side: [epoch.seconds for epoch in trained] for side, trained in epochs.items()}
    # The first epoch of AllenNLP's class stands for later ones, since it caches nothing.
    usual = {side: median(taken[1:] or taken) for side, taken in seconds.items()}
    rows: List[Dict[str, Any]] = [
        {
            "shape": shape,
            "side": side,
            "sentences": len(settings.sentences),
            "tokens": sum(map(len, settings.sentences)),
            "first_seconds": taken[0],
            "seconds": usual[side],
            "ratio": usual[ALLENNLP] / usual[side],
            "ratio_to_uncached": usual[UNCACHED] / usual[side],
            "ratio_to_floor": usual[side] / usual[FLOOR],
        }
        for side, taken in seconds.items()
    ]
    differences = [
        {
            "metric": metric,
            "largest_difference": max(
                abs(cached.metrics[metric] - uncached.metrics[metric])
                for cached, uncached in zip(epochs[CACHED], epochs[UNCACHED])
            ),
            "last": epochs[CACHED][-1].metrics[metric],
        }
        for metric in METRICS
    ]
    return Section(
        {"epochs": rows, "epoch_metrics": differences},
        [_time_table(rows), _metrics_table(differences)],
    )


def write_tagged(sentences: Iterable[Sentence], path: Path) -> None:
    """
    Writes sentences with generated tags: the length of each token in characters, up to 9.

    # Parameters

    sentences : `Iterable[Sentence]`
        Sentences to tag.
    path : `Path`
        File to write, in UTF-8, for the reader `sequence_tagging` with a tab as its
        `token_delimiter`. No token has a tab, but some have a space.
    """
    lines = (
        # The reader splits at the last '###', so a token may have its own.
        "\t".join(f"{word}###{min(len(word), LONGEST_TAG)}" for word in sentence)
        for sentence in sentences
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _experiment(side: str, bilm: Path, data: Path, cache: Path) -> Dict[str, Any]:
    """Returns the config of a training without its trainer."""
    options_file = bilm / "options.json"
    size = 2 * ElmoOptions.from_file(options_file).projection_dim
    indexer: Dict[str, Any] = {"type": "elmo_characters"}
    embedder: Dict[str, Any] = {
        "type": "elmo_token_embedder",
        "options_file": str(options_file),
        "weight_file": str(bilm / "weights.hdf5"),
        "dropout": 0.0,
    }
    if side == ALLENNLP:
        # The plugin is registered under the built-in's names.
        indexer["type"] = "benchmarks.builtin.BuiltInIndexer"
        embedder["type"] = "benchmarks.builtin.BuiltInEmbedder"
    elif side == FLOOR:
        indexer = {"type": "single_id"}
        embedder = {"type": "embedding", "embedding_dim": size, "trainable": False}
    else:
        embedder["encoder"] = {"type": "bilm", "initial_state": {"type": "warm"}}
        if side == CACHED:
            embedder["activation_cache"] = {"type": "hdf5", "path": str(cache)}
    return {
        "dataset_reader": {
            "type": "sequence_tagging",
            "token_delimiter": "\t",
            "token_indexers": {"tokens": indexer},
        },
        "train_data_path": str(data),
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {"token_embedders": {"tokens": embedder}},
            "encoder": {"type": "pass_through", "input_dim": size},
        },
        "data_loader": {
            "batch_sampler": {
                "type": "bucket",
                "batch_size": BATCH_SIZE,
                "sorting_keys": ["tokens"],
            },
        },
    }


def _train(experiment: Dict[str, Any], num_epochs: int, folder: Path) -> List[Epoch]:
    trainer = {
        "num_epochs": num_epochs,
        "cuda_device": -1,
        "optimizer": "adam",
        # Only epochs take time: no batch is checked before them, and no model is saved.
        "run_confidence_checks": False,
        "checkpointer": None,
        "callbacks": [{"type": "should_validate_callback", "validation_start": num_epochs}],
    }
    params = Params({**experiment, "trainer": trainer})
    folder.mkdir()
    prepare_environment(params)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        TrainModel.from_params(params, serialization_dir=str(folder), local_rank=0).run()
    return _read_epochs(folder, num_epochs)


def _read_epochs(folder: Path, num_epochs: int) -> List[Epoch]:
    epochs: List[Epoch] = []
    before = 0.0
    for number in range(num_epochs):
        written = (folder / f"metrics_epoch_{number}.json").read_text(encoding="utf-8")
        metrics = json.loads(written)
        # The duration counts from the beginning of the training.
        hours, minutes, seconds = map(float, metrics["training_duration"].split(":"))
        since = (hours * 60 + minutes) * 60 + seconds
        epochs.append(
            Epoch(since - before, {name: metrics[f"training_{name}"] for name in METRICS})
        )
        before = since
    return epochs


def _time_table(rows: List[Dict[str, Any]]) -> Table:
    first = rows[0]
    return Table(
        f"An epoch of {first['sentences']} sentences, {first['tokens']} tokens, with "
        f"{first['shape']} frozen: seconds;\n"
        "speed as a multiple of AllenNLP's; time as a multiple of the floor's, without a biLM",
        ("", "first epoch", "later epochs", "ratio", "of the floor"),
        [
            (
                row["side"],
                f"{row['first_seconds']:.2f}",
                "-" if row["side"] == ALLENNLP else f"{row['seconds']:.2f}",
                times(row["ratio"]),
                times(row["ratio_to_floor"]),
            )
            for row in rows
        ],
    )


def _metrics_table(differences: List[Dict[str, Any]]) -> Table:
    return Table(
        "Metrics of an epoch with and without the cache: largest difference, and the last value\n"
        "with the cache",
        ("", "difference", "value"),
        [
            (row["metric"], f"{row['largest_difference']:.1e}", f"{row['last']:.6f}")
            for row in differences
        ],
    )
