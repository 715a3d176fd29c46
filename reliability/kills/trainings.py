"""
The small trainings that are killed.
"""

import json
import random
from pathlib import Path
from typing import Any, Callable, Dict

import torch

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from tests.support.language_model_experiment import OPTIONS, write_corpus

__all__ = ["TRAININGS", "write_experiment"]

NUM_EPOCHS = 3

TAGS = ["N", "V", "D"]


def _write_tagged(path: Path, seed: int, size: int) -> str:
    drawn = random.Random(seed)
    lines = [
        "\t".join(f"{word}###{drawn.choice(TAGS)}" for word in sentence)
        for sentence in write_corpus(path, seed, size)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def _trainer(**trainer: Any) -> Dict[str, Any]:
    return {
        "num_epochs": NUM_EPOCHS,
        "cuda_device": -1,
        "optimizer": {"type": "adam", "lr": 0.01},
        "checkpointer": {"save_every_num_batches": 4},
        **trainer,
    }


def _tagger(folder: Path, **embedder: Any) -> Dict[str, Any]:
    torch.manual_seed(5)
    ElmoBilm(ElmoOptions.from_dict(OPTIONS)).to_folder(folder / "elmo")
    return {
        "dataset_reader": {
            "type": "sequence_tagging",
            "token_indexers": {"elmo": {"type": "elmo_characters"}},
        },
        "train_data_path": _write_tagged(folder / "train.txt", 1, 40),
        "validation_data_path": _write_tagged(folder / "dev.txt", 2, 12),
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {
                "token_embedders": {
                    "elmo": {
                        "type": "elmo_token_embedder",
                        "options_file": str(folder / "elmo"),
                        "weight_file": str(folder / "elmo"),
                        **embedder,
                    }
                }
            },
            "encoder": {"type": "lstm", "input_size": 32, "hidden_size": 8},
        },
        "data_loader": {"batch_size": 4, "shuffle": True},
        "trainer": _trainer(validation_metric="+accuracy"),
    }


def _cached_tagger(folder: Path) -> Dict[str, Any]:
    """A frozen ELMo whose vectors are on disk, under a tagger with dropout."""
    return _tagger(
        folder,
        encoder={"type": "bilm", "initial_state": {"type": "zero"}},
        activation_cache={"type": "hdf5", "path": str(folder / "cache")},
    )


def _fine_tuning(folder: Path) -> Dict[str, Any]:
    """An ELMo that is trained with the tagger, in its default configuration."""
    return _tagger(folder, requires_grad=True)


def _language_model(folder: Path) -> Dict[str, Any]:
    """A biLM that is trained on text, with dropout and a sampled softmax."""
    paths = {"train": folder / "train.txt", "dev": folder / "dev.txt"}
    for seed, (name, path) in enumerate(paths.items()):
        write_corpus(path, seed, {"train": 120, "dev": 24}[name])
    reader = {"type": "bilm_corpus", "batch_size": 4}
    loader = {"batch_size": 4, "max_instances_in_memory": 4}
    return {
        "dataset_reader": {**reader, "num_steps": 5, "shuffle_buffer": 10},
        "validation_dataset_reader": {**reader, "num_steps": None},
        "train_data_path": str(paths["train"]),
        "validation_data_path": str(paths["dev"]),
        "model": {
            "type": "bidirectional_lm",
            "options": OPTIONS,
            "num_samples": 8,
            "dropout": 0.2,
        },
        "data_loader": loader,
        "validation_data_loader": loader,
        "trainer": _trainer(validation_metric="-perplexity", grad_norm=1.0),
    }


TRAININGS: Dict[str, Callable[[Path], Dict[str, Any]]] = {
    "cached_tagger": _cached_tagger,
    "fine_tuning": _fine_tuning,
    "language_model": _language_model,
}


def write_experiment(name: str, folder: Path) -> Path:
    """
    Writes the config of a training, and its data.

    # Parameters

    name : `str`
        A key of `TRAININGS`.
    folder : `Path`
        An empty folder.

    # Returns

    `Path`
        Path of the config.
    """
    path = folder / "experiment.json"
    path.write_text(json.dumps(TRAININGS[name](folder)), encoding="utf-8")
    return path
