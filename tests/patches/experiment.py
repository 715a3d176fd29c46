"""A tagging experiment that trains within a second."""

import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch
from allennlp.commands.train import train_model
from allennlp.common import Params

SENTENCES: List[List[Tuple[str, str]]] = [
    [("the", "DET"), ("old", "ADJ"), ("kettle", "NOUN"), ("whistles", "VERB")],
    [("a", "DET"), ("heron", "NOUN"), ("waits", "VERB")],
    [("rain", "NOUN"), ("follows", "VERB"), ("the", "DET"), ("plough", "NOUN")],
    [("two", "NUM"), ("clocks", "NOUN"), ("disagree", "VERB")],
    [("the", "DET"), ("ferry", "NOUN"), ("leaves", "VERB"), ("early", "ADV")],
]


def write_sentences(folder: Path) -> Path:
    """Writes the sentences in the format of AllenNLP's `sequence_tagging` reader."""
    path = folder / "sentences.tsv"
    lines = ["\t".join(f"{word}###{tag}" for word, tag in sentence) for sentence in SENTENCES]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def config(folder: Path, **trainer: Any) -> Dict[str, Any]:
    """Returns the config, with its data in `folder` and additions to its trainer."""
    data = str(write_sentences(folder))
    return {
        "dataset_reader": {"type": "sequence_tagging"},
        "train_data_path": data,
        "validation_data_path": data,
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {
                "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 3}}
            },
            "encoder": {"type": "lstm", "input_size": 3, "hidden_size": 3},
        },
        "data_loader": {"batch_size": 2},
        "trainer": {
            "num_epochs": 2,
            "cuda_device": -1,
            "optimizer": {"type": "sgd", "lr": 0.1},
            **trainer,
        },
    }


def train(config: Dict[str, Any], serialization_dir: Path, recover: bool = False) -> None:
    """Trains as `allennlp train` does, in this process."""
    params = Params(json.loads(json.dumps(config)))
    train_model(params, str(serialization_dir), recover=recover)


def interrupt(serialization_dir: Path) -> Dict[str, torch.Tensor]:
    """
    Undoes the second epoch of a finished training, as if it had been stopped after the first.

    Returns the weights that the second epoch ended with.
    """
    weights = final_weights(serialization_dir)
    for checkpoint in serialization_dir.glob("*_state_e2_b0.th"):
        checkpoint.unlink()
    return weights


def final_weights(serialization_dir: Path) -> Dict[str, torch.Tensor]:
    """Returns the weights after the second epoch."""
    weights: Dict[str, torch.Tensor] = torch.load(str(serialization_dir / "model_state_e2_b0.th"))
    return weights
