"""
Accuracy of part-of-speech tagging from few sentences, as a measure of what a biLM has learnt.

The command is `python -m benchmarks.tagging`.
"""

import argparse
import json
import os
from contextlib import redirect_stderr
from copy import deepcopy
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.common.util import prepare_environment

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.weights import find_options_file
from benchmarks.report import Table, format_table

__all__ = ["main", "measure_tagging"]

TRAINED, RANDOM, EMBEDDING = "the biLM", "the same with random weights", "'embedding', trained"
BATCH_SIZE = 16
LEARNING_RATES = (0.01, 0.05)
NUM_EPOCHS = 200
PATIENCE = 15
HELD_OUT = 300


class Accuracy(NamedTuple):
    """
    Accuracies of one training.

    # Parameters

    on_held_out : `float`
        Accuracy on the held-out sentences, in [0, 1].
    on_test : `float`
        Accuracy on the test file, in [0, 1].
    """

    on_held_out: float
    on_test: float


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """
    Measures accuracies, prints their table, and writes `tagging.json`.

    # Parameters

    arguments : `Sequence[str]`, optional (default = `None`)
        Arguments in place of the command line's.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tagging", description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="the .conllu file to train on")
    parser.add_argument("--test", type=Path, required=True, help="the .conllu file to test on")
    parser.add_argument(
        "--bilm", default="pretrained:small", help="a folder or a name (default: %(default)s)"
    )
    parser.add_argument(
        "--sentences",
        type=int,
        default=500,
        help="number of sentences to train on (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        help="number of trainings per embedder (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output/benchmarks"),
        help="the folder to write to (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    rows = measure_tagging(chosen.train, chosen.test, chosen.bilm, chosen.sentences, chosen.seeds)
    table = Table(
        f"Parts of speech by one linear layer, trained on {chosen.sentences} sentences: accuracy",
        ("", "mean", "seeds"),
        [
            (
                row["side"],
                f"{row['mean']:.2%}",
                " ".join(f"{accuracy:.2%}" for accuracy in row["accuracies"]),
            )
            for row in rows
        ],
    )
    print(format_table(table), end="\n\n")
    chosen.output.mkdir(parents=True, exist_ok=True)
    written = chosen.output / "tagging.json"
    written.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"Written: {written}")


def measure_tagging(
    train: Path, test: Path, bilm: str, num_sentences: int, num_seeds: int
) -> List[Dict[str, Any]]:
    """
    Trains AllenNLP's `simple_tagger` on few sentences with each of three embedders, and tests it.

    The tagger is one linear layer between the vectors and the tags. The embedders are:

    - the frozen biLM with a learned scalar mix and the initial state `warm`;
    - the same with random weights, which differ for each seed;
    - AllenNLP's `embedding` of the same size, which trains a vector for each word.

    Each trains with Adam and without dropout, for at most 200 epochs with each of two learning
    rates. The epoch with the highest accuracy on the held-out sentences counts: the 300 sentences
    that follow those to train on.

    # Parameters

    train, test : `Path`
        CoNLL-U files.
    bilm : `str`
        Folder with `options.json` and `weights.hdf5`, or the name of a biLM of the plugin.
    num_sentences : `int`
        Number of sentences to train on.
    num_seeds : `int`
        Number of trainings per embedder, with different seeds.

    # Returns

    `List[Dict[str, Any]]`
        Accuracies on the test file and their mean, for each embedder.
    """
    accuracies: Dict[str, List[float]] = {TRAINED: [], RANDOM: [], EMBEDDING: []}
    options = ElmoOptions.from_file(find_options_file(bilm))
    with TemporaryDirectory() as name:
        folder = Path(name)
        sentences = train.read_text(encoding="utf-8").strip("\n").split("\n\n")
        (folder / "train.conllu").write_text(_joined(sentences[:num_sentences]), encoding="utf-8")
        held_out = sentences[num_sentences : num_sentences + HELD_OUT]
        (folder / "held_out.conllu").write_text(_joined(held_out), encoding="utf-8")
        for seed in range(num_seeds):
            torch.manual_seed(seed)
            ElmoBilm(options).to_folder(folder / f"random_{seed}")
            files = {TRAINED: bilm, RANDOM: str(folder / f"random_{seed}"), EMBEDDING: None}
            for number, (side, file) in enumerate(files.items()):
                config = _experiment(folder, test, 2 * options.projection_dim, file)
                config.update(random_seed=seed, numpy_seed=seed, pytorch_seed=seed)
                trained = [
                    _train(config, rate, folder / f"{number}_{seed}_{rate}")
                    for rate in LEARNING_RATES
                ]
                accuracies[side].append(max(trained).on_test)
    return [
        {"side": side, "mean": mean(measured), "accuracies": measured}
        for side, measured in accuracies.items()
    ]


def _joined(sentences: List[str]) -> str:
    return "".join(sentence + "\n\n" for sentence in sentences)


def _experiment(folder: Path, test: Path, size: int, bilm: Optional[str]) -> Dict[str, Any]:
    indexer: Dict[str, Any] = {"type": "single_id"}
    embedder: Dict[str, Any] = {"type": "embedding", "embedding_dim": size}
    if bilm is not None:
        indexer = {"type": "elmo_characters"}
        embedder = {
            "type": "elmo_token_embedder",
            "options_file": bilm,
            "weight_file": bilm,
            "dropout": 0.0,
            "encoder": {"type": "bilm", "initial_state": {"type": "warm"}},
            "activation_cache": {"type": "hdf5", "path": str(folder / "activations")},
        }
    return {
        "dataset_reader": {"type": "conllu_tagging", "token_indexers": {"tokens": indexer}},
        "train_data_path": str(folder / "train.conllu"),
        "validation_data_path": str(folder / "held_out.conllu"),
        "test_data_path": str(test),
        "evaluate_on_test": True,
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {"token_embedders": {"tokens": embedder}},
            "encoder": {"type": "pass_through", "input_dim": size},
        },
        "data_loader": {"batch_size": BATCH_SIZE, "shuffle": True},
        "trainer": {
            "num_epochs": NUM_EPOCHS,
            "patience": PATIENCE,
            "cuda_device": -1,
            "optimizer": {"type": "adam"},
            "validation_metric": "+accuracy",
            "run_confidence_checks": False,
        },
    }


def _train(config: Dict[str, Any], learning_rate: float, folder: Path) -> Accuracy:
    params = Params(deepcopy(config))
    params["trainer"]["optimizer"]["lr"] = learning_rate
    folder.mkdir()
    prepare_environment(params)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        loop = TrainModel.from_params(params, serialization_dir=str(folder), local_rank=0)
        loop.finish(loop.run())
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return Accuracy(metrics["best_validation_accuracy"], metrics["test_accuracy"])


if __name__ == "__main__":
    main()
