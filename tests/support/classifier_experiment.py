"""An experiment that trains a small biattentive classification network with ELMo."""

import random
from pathlib import Path
from typing import Any, Dict

from tests.support.elmo_files import elmo_options, write_elmo_files

__all__ = ["classifier"]

WORDS = ["rain", "caf\u00e9", "over-" * 12, "\u96e8", "\U0001f327", "the", "a", "falls"]
PROJECTION_DIM = 16
SIZE = 3


def classifier(folder: Path, **elmo: Any) -> Dict[str, Any]:
    """Returns the config of an experiment with an `elmo` section of two representations."""
    options = elmo_options(projection_dim=PROJECTION_DIM)
    files = write_elmo_files(folder / "elmo", options, seed=101)
    train, dev = _write_data(folder / "train.jsonl", 1, 12), _write_data(folder / "dev.jsonl", 2, 9)
    input_size, pooled = 4 + 2 * PROJECTION_DIM, 4 * (2 * SIZE + 2 * PROJECTION_DIM)
    return {
        "dataset_reader": {
            "type": "text_classification_json",
            "tokenizer": {"type": "whitespace"},
            "token_indexers": {
                "tokens": {"type": "single_id"},
                "elmo": {"type": "elmo_characters"},
            },
        },
        "train_data_path": train,
        "validation_data_path": dev,
        "model": {
            "type": "bcn",
            "text_field_embedder": {
                "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 4}}
            },
            "embedding_dropout": 0.1,
            "pre_encode_feedforward": _feedforward(input_size, 4),
            "encoder": {"type": "lstm", "input_size": 4, "hidden_size": SIZE},
            "integrator": {
                "type": "lstm",
                "input_size": 3 * SIZE,
                "hidden_size": SIZE,
                "bidirectional": True,
            },
            "integrator_dropout": 0.1,
            "output_layer": _feedforward(pooled, 2),
            "elmo": {**files._asdict(), "num_output_representations": 2, **elmo},
            "use_input_elmo": True,
            "use_integrator_output_elmo": True,
        },
        "data_loader": {"batch_size": 4, "shuffle": True},
        "trainer": {
            "num_epochs": 3,
            "cuda_device": -1,
            # Adam would magnify the rounding errors of the attention's bias, whose gradient is 0.
            "optimizer": {"type": "sgd", "lr": 0.01},
        },
    }


def _feedforward(input_size: int, output_size: int) -> Dict[str, Any]:
    return {
        "input_dim": input_size,
        "num_layers": 1,
        "hidden_dims": [output_size],
        "activations": ["linear"],
    }


def _write_data(path: Path, seed: int, size: int) -> str:
    """Writes random texts of one to seven words, for the reader `text_classification_json`."""
    drawn = random.Random(seed)
    lines = []
    for _ in range(size):
        words = " ".join(drawn.choice(WORDS) for _ in range(drawn.randint(1, 7)))
        lines.append(f'{{"text": "{words}", "label": "{drawn.choice("xy")}"}}')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)
