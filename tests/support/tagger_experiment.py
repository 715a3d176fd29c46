"""An experiment that trains a small tagger with ELMo."""

import json
import random
import re
from pathlib import Path
from typing import Any, Dict, List, Optional

from allennlp.commands.train import train_model
from allennlp.common import Params

# Registers the plugin's classes, which AllenNLP does only for a training in several processes.
import allennlp_elmo_plugin  # noqa: F401
from tests.support.elmo_files import elmo_options, write_elmo_files

__all__ = [
    "BUILTIN_EMBEDDERS",
    "epoch_metrics",
    "final_metrics",
    "read_probabilities",
    "tagger",
    "train",
    "write_data",
]

WORDS = ["rain", "caf\u00e9", "over-" * 12, "\u96e8", "\U0001f327", "the", "a", "falls", "</S>"]
TAGS = ["N", "V", "D"]

BUILTIN_EMBEDDERS: Dict[str, Dict[str, Any]] = {
    "frozen": {},
    "trained, projected and normalized": {
        "requires_grad": True,
        "projection_dim": 6,
        "do_layer_norm": True,
    },
    "with a word list": {"vocab_to_cache": ["@@PADDING@@", "the", "rain"]},
    "fixed mix": {"scalar_mix_parameters": [0.5, 1.0, -1.0]},
}
"""Embedders that AllenNLP's class builds as well, by name: what `tagger` takes."""


def write_data(path: Path, seed: int, size: int) -> str:
    """Writes random sentences of one to seven words for the reader `sequence_tagging`."""
    drawn = random.Random(seed)
    lines = []
    for _ in range(size):
        words = [drawn.choice(WORDS) for _ in range(drawn.randint(1, 7))]
        lines.append("\t".join(f"{word}###{drawn.choice(TAGS)}" for word in words))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def tagger(
    folder: Path, options: Optional[Dict[str, Any]] = None, **embedder: Any
) -> Dict[str, Any]:
    """Returns the config of an experiment with parameter groups and a regularizer."""
    options = {"projection_dim": 6, **(options or {})}
    files = write_elmo_files(folder / "elmo", elmo_options(**options), seed=101)
    size = embedder.get("projection_dim", 2 * options["projection_dim"])
    train, dev = write_data(folder / "train.txt", 1, 12), write_data(folder / "dev.txt", 2, 9)
    return {
        "dataset_reader": {
            "type": "sequence_tagging",
            "token_indexers": {"elmo": {"type": "elmo_characters"}},
        },
        "train_data_path": train,
        "validation_data_path": dev,
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {
                "token_embedders": {
                    "elmo": {
                        "type": "elmo_token_embedder",
                        "options_file": files.options_file,
                        "weight_file": files.weight_file,
                        # AllenNLP's class drops other elements.
                        "dropout": 0.0,
                        **embedder,
                    }
                }
            },
            "encoder": {"type": "lstm", "input_size": size, "hidden_size": 5},
            "regularizer": {
                "regexes": [["scalar_parameters", {"type": "l2", "alpha": 0.01}]],
            },
        },
        "data_loader": {"batch_size": 4, "shuffle": False},
        "trainer": {
            "num_epochs": 3,
            "cuda_device": -1,
            "optimizer": {
                "type": "adam",
                "lr": 0.01,
                "parameter_groups": [[["scalar_mix.*gamma"], {"lr": 0.1}]],
            },
        },
    }


def train(config: Dict[str, Any], folder: Path, recover: bool = False) -> None:
    """Trains as `allennlp train` does, in this process."""
    train_model(Params(json.loads(json.dumps(config))), str(folder), recover=recover)


def final_metrics(folder: Path) -> Dict[str, float]:
    """Returns the metrics of a training except times and memory."""
    return _metrics(folder / "metrics.json")


def epoch_metrics(folder: Path) -> List[Dict[str, float]]:
    """Returns the metrics after each epoch of a training, except times and memory."""
    epochs = range(len(list(folder.glob("metrics_epoch_*.json"))))
    return [_metrics(folder / f"metrics_epoch_{epoch}.json") for epoch in epochs]


def read_probabilities(path: Path) -> List[float]:
    """Returns every probability in a file of predictions, as `allennlp evaluate` writes it."""
    batches = [json.loads(line)["class_probabilities"] for line in path.read_text().splitlines()]
    return [
        number for batch in batches for sentence in batch for word in sentence for number in word
    ]


def _metrics(path: Path) -> Dict[str, float]:
    return {
        key: value
        for key, value in json.loads(path.read_text()).items()
        if re.search("accuracy|loss", key) and isinstance(value, float)
    }
