"""An experiment that trains a small language model."""

import json
import random
from pathlib import Path
from typing import Any, Dict, List

from allennlp.commands.train import train_model
from allennlp.common import Params

# Registers the plugin's classes, which AllenNLP does only for a training in several processes.
import allennlp_elmo_plugin  # noqa: F401

__all__ = ["OPTIONS", "language_model", "train", "write_corpus"]

WORDS = ["the", "a", "rain", "sun", "falls", "shines", "on", "over", "hills", "caf\u00e9", "."]

OPTIONS = {
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 4},
        "filters": [[1, 16], [2, 16]],
        "max_characters_per_token": 50,
        "n_highway": 1,
    },
    "lstm": {
        "dim": 32,
        "projection_dim": 16,
        "n_layers": 2,
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    },
}


def write_corpus(path: Path, seed: int, size: int) -> List[List[str]]:
    """Writes random sentences of one to nine words, one a line, and returns them."""
    drawn = random.Random(seed)
    sentences = [drawn.choices(WORDS, k=drawn.randint(1, 9)) for _ in range(size)]
    path.write_text("".join(" ".join(words) + "\n" for words in sentences), encoding="utf-8")
    return sentences


def language_model(folder: Path, **model: Any) -> Dict[str, Any]:
    """Writes corpora and returns the config of an experiment with three epochs and four streams."""
    for number in range(3):
        write_corpus(folder / f"train_{number}.txt", number, 40)
    write_corpus(folder / "dev.txt", 3, 21)
    return {
        "dataset_reader": {
            "type": "bilm_corpus",
            "batch_size": 4,
            "num_steps": 5,
            "shuffle_buffer": 10,
        },
        "validation_dataset_reader": {"type": "bilm_corpus", "batch_size": 4, "num_steps": None},
        "train_data_path": str(folder / "train_*.txt"),
        "validation_data_path": str(folder / "dev.txt"),
        "model": {"type": "bidirectional_lm", "options": OPTIONS, "num_samples": 8, **model},
        "data_loader": {"batch_size": 4, "max_instances_in_memory": 4},
        "validation_data_loader": {"batch_size": 4, "max_instances_in_memory": 4},
        "trainer": {
            "num_epochs": 3,
            "cuda_device": -1,
            "optimizer": {"type": "adam", "lr": 0.01},
            "grad_norm": 1.0,
            "validation_metric": "-perplexity",
        },
    }


def train(config: Dict[str, Any], folder: Path, recover: bool = False) -> Dict[str, float]:
    """Trains as `allennlp train` does, in this process, and returns losses and perplexities."""
    train_model(Params(json.loads(json.dumps(config))), str(folder), recover=recover)
    metrics = json.loads((folder / "metrics.json").read_text())
    return {key: value for key, value in metrics.items() if "loss" in key or "perplexity" in key}
