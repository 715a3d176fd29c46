"""
Reading the weights of an ELMoForManyLangs biLM.
"""

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.torch_files import load_torch_file
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.weights.dataset_file import listed
from allennlp_elmo_plugin.weights.finite import first_non_finite
from allennlp_elmo_plugin.weights.many_langs.folder import (
    CHARACTERS_NAME,
    EMBEDDER_NAME,
    ENCODER_NAME,
    WORDS_NAME,
)
from allennlp_elmo_plugin.weights.many_langs.options import many_langs_options
from allennlp_elmo_plugin.weights.parameters import parameter_shapes

__all__ = ["ManyLangsWeights"]

FLOATS = (torch.float32, torch.float64, torch.float16)

LSTM_MODULE = "_elmo_lstm"

WORD_TABLE = "word_emb_layer.embedding.weight"
CHARACTER_TABLE = "char_emb_layer.embedding.weight"
DICTIONARIES = {WORD_TABLE: WORDS_NAME, CHARACTER_TABLE: CHARACTERS_NAME}
TABLES = {
    "_token_embedder._word_table.embedding": WORD_TABLE,
    "_token_embedder._char_embedding_weights": CHARACTER_TABLE,
}
"""The tables of the dictionaries, by the names of their parameters."""

# One matrix projects a word's vector and that of its characters, one behind the other.
PROJECTION = "projection.weight"
WORD_PROJECTION = "_token_embedder._word_table.projection"
CHARACTER_PROJECTION = "_token_embedder._projection.weight"

RENAMED = (
    ("_projection.", "projection."),
    ("_highways.", "highways."),
    ("char_conv_", "convolutions."),
)
"""Beginnings of the names of other parameters, and those of the tensors in the file."""


class _Weight(NamedTuple):
    """A tensor of a file, and the name of the parameter that it is."""

    key: str
    shape: Tuple[int, ...]
    parameter: str


class ManyLangsWeights:
    """
    The weights of an ELMoForManyLangs biLM, from the state dicts that PyTorch wrote.

    The constructor reads both files and checks that they fit the config and the dictionaries.
    Iterating over it yields dictionaries of float32 parameters of an `ElmoBilm` by name. Use it as
    a context manager.

    # Parameters

    options_path : `Path`
        Path of `config.json` or `encoder.pkl`, in the folder of all files.
    weight_path : `Path`
        Path of `encoder.pkl` in the same folder.

    # Raises

    `ConfigurationError`
        If a file is missing, damaged, or belongs to another biLM, or if a number is not finite.
    """

    options: ElmoOptions
    """The options, with the dictionary."""

    def __init__(self, options_path: Path, weight_path: Path) -> None:
        folder = options_path.parent
        encoder_path = folder / ENCODER_NAME
        if not (weight_path.is_file() and os.path.samefile(weight_path, encoder_path)):
            raise ConfigurationError(
                f"Expected both files of an ELMoForManyLangs biLM in one folder, got '{folder}' as "
                f"'options_file' and '{weight_path}' as 'weight_file'. Name the same folder as "
                "both."
            )
        self.options = many_langs_options(folder)
        embedder_path = folder / EMBEDDER_NAME
        embedder = _read_state_dict(embedder_path)
        _require_dictionaries(embedder_path, embedder, self.options)
        expected = _expected(self.options)
        self._parts = [
            (embedder_path, embedder, expected[EMBEDDER_NAME]),
            (encoder_path, _read_state_dict(encoder_path), expected[ENCODER_NAME]),
        ]
        for path, state_dict, weights in self._parts:
            _require_fit(path, state_dict, weights)

    def __iter__(self) -> Iterator[Dict[str, torch.Tensor]]:
        for path, state_dict, weights in self._parts:
            for weight in weights:
                tensor = _to_float32(path, weight.key, state_dict[weight.key])
                if weight.key in DICTIONARIES:
                    # Id 0 means that there is no token.
                    yield {weight.parameter: torch.cat([torch.zeros_like(tensor[:1]), tensor])}
                elif weight.key == PROJECTION:
                    of_words = self.options.word_embedding_dim
                    yield {WORD_PROJECTION: tensor[:, :of_words].contiguous()}
                    yield {CHARACTER_PROJECTION: tensor[:, of_words:].contiguous()}
                else:
                    yield {weight.parameter: tensor}

    def __enter__(self) -> "ManyLangsWeights":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Forgets the weights."""
        self._parts = []


def _read_state_dict(path: Path) -> Dict[str, torch.Tensor]:
    if not path.is_file():
        raise ConfigurationError(
            f"Expected weights of an ELMoForManyLangs biLM in '{path}', but there is no such file. "
            "Extract the whole model into one folder."
        )
    content = load_torch_file(path, map_location="cpu", tensors_only=True)
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items()
    ):
        raise ConfigurationError(
            f"Expected tensors by name in '{path}', got {type(content).__name__}. Is it the file "
            "of another program?"
        )
    return content


def _expected(options: ElmoOptions) -> Dict[str, List[_Weight]]:
    """Returns the tensors of each file."""
    files: Dict[str, List[_Weight]] = {EMBEDDER_NAME: [], ENCODER_NAME: []}
    for name, shape in parameter_shapes(options).items():
        module, _, key = name.partition(".")
        if name in TABLES:
            # The row for id 0 is ours.
            key, shape = TABLES[name], (shape[0] - 1, *shape[1:])
        elif name == WORD_PROJECTION:
            continue
        elif name == CHARACTER_PROJECTION:
            key, shape = PROJECTION, (shape[0], options.word_embedding_dim + shape[1])
        else:
            for ours, theirs in RENAMED:
                key = theirs + key[len(ours) :] if key.startswith(ours) else key
        file = ENCODER_NAME if module == LSTM_MODULE else EMBEDDER_NAME
        files[file].append(_Weight(key, shape, name))
    return files


def _require_dictionaries(
    path: Path, embedder: Dict[str, torch.Tensor], options: ElmoOptions
) -> None:
    """Compares the dictionaries with their tables, and says which file is another model's."""
    entries = {WORD_TABLE: options.num_words, CHARACTER_TABLE: options.num_characters}
    rows = {key: len(embedder[key]) for key in entries if key in embedder and embedder[key].dim()}
    wrong = [key for key, number in rows.items() if number != entries[key]]
    if not wrong:
        return
    found = "; ".join(
        f"'{DICTIONARIES[key]}' has ids for {entries[key]:,} rows, its table {rows[key]:,} rows"
        for key in wrong
    )
    foreign = f"'{DICTIONARIES[wrong[0]]}' belongs to another model"
    if len(wrong) == len(DICTIONARIES):
        foreign = f"either both dictionaries or '{path.name}' belong to another model"
    raise ConfigurationError(
        f"The dictionaries beside '{path}' do not fit its tables: {found}. So {foreign}. Get all "
        "files of one model anew."
    )


def _require_fit(path: Path, state_dict: Dict[str, torch.Tensor], weights: List[_Weight]) -> None:
    problems = []
    for key, shape, _ in weights:
        found = state_dict.get(key)
        if found is None:
            problems.append(f"missing: {key}, expected shape {shape}")
        elif tuple(found.shape) != shape:
            problems.append(f"mis-shaped: {key}, expected {shape}, got {tuple(found.shape)}")
        elif found.dtype not in FLOATS or found.layout != torch.strided:
            problems.append(f"unreadable: {key}, expected floats, got {found.dtype}")
    known = {weight.key for weight in weights}
    problems += [f"unexpected: {key}" for key in state_dict if key not in known]
    if problems:
        raise ConfigurationError(
            f"The weights in '{path}' do not fit the config and the dictionaries beside it:\n  "
            f"{listed(problems)}\nGet all files of one model anew."
        )


def _to_float32(path: Path, key: str, tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().to(torch.float32).contiguous()
    index = first_non_finite(tensor.flatten().numpy())
    if index is not None:
        raise ConfigurationError(
            f"Expected finite numbers in '{path}', but '{key}' has {tensor.flatten()[index]} at "
            f"index {index}. Get the file anew."
        )
    return tensor
