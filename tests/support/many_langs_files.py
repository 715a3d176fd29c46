"""
Small biLMs with random weights, in the layout of ELMoForManyLangs.

It needs NumPy and PyTorch alone, so the program of others that makes `tests/fixtures` can use it.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence

import numpy
import torch

__all__ = ["CASES", "ManyLangsCase", "many_langs_arrays", "write_many_langs"]

WORDS = [
    "<oov>",
    "<bos>",
    "<eos>",
    "<pad>",
    "the",
    "rain",
    "caf\u00e9",
    "\u96e8",
    "overlongwords",
    ".",
]
CHARACTERS = [
    *"abcdefghiklmnorstuvw.",
    "\u00e9",
    "\u3000",
    "\u96e8",
    "\U0001f327",
    "<bos>",
    "<eos>",
    "<oov>",
    "<pad>",
    "<bow>",
    "<eow>",
]


class ManyLangsCase(NamedTuple):
    """
    The shape of a biLM.

    # Parameters

    encoder : `Dict[str, Any]`
        Section of this name of the config.
    token_embedder : `Dict[str, Any]`
        Section of this name of the config.
    words : `List[str]`
        Entries of `word.dic`.
    characters : `List[str]`
        Entries of `char.dic`.
    """

    encoder: Dict[str, Any]
    token_embedder: Dict[str, Any]
    words: List[str] = WORDS
    characters: List[str] = CHARACTERS

    @property
    def config(self) -> Dict[str, Any]:
        """The config of the network."""
        return {
            "encoder": self.encoder,
            "token_embedder": self.token_embedder,
            "classifier": {"name": "sampled_softmax", "n_samples": 8},
            "dropout": 0.1,
        }


def _case(
    filters: Sequence[Sequence[int]] = ((1, 16), (2, 16), (3, 32)),
    max_characters: int = 12,
    activation: str = "relu",
    n_highway: int = 2,
    n_layers: int = 2,
    clip: float = 3.0,
    sizes: Sequence[int] = (16, 32, 6, 5),
) -> ManyLangsCase:
    projection_dim, cell_size, word_dim, char_dim = sizes
    return ManyLangsCase(
        {
            "name": "elmo",
            "projection_dim": projection_dim,
            "dim": cell_size,
            "n_layers": n_layers,
            "cell_clip": clip,
            "proj_clip": clip,
        },
        {
            "name": "cnn",
            "activation": activation,
            "filters": [list(each) for each in filters],
            "n_highway": n_highway,
            "word_dim": word_dim,
            "char_dim": char_dim,
            "max_characters_per_token": max_characters,
        },
    )


CASES: Dict[str, ManyLangsCase] = {
    "plain": _case(),
    "unusual": _case(
        ((1, 3), (4, 5)), 50, "tanh", n_highway=1, n_layers=3, clip=0.3, sizes=(7, 10, 4, 3)
    ),
}


def many_langs_arrays(case: ManyLangsCase, seed: int = 0) -> Dict[str, Dict[str, numpy.ndarray]]:
    """
    Returns random float32 weights of a biLM, by the names of their file and of the tensor.
    """
    random = numpy.random.RandomState(seed)
    encoder, embedder = case.encoder, case.token_embedder
    dim, cell_size = encoder["projection_dim"], encoder["dim"]
    char_dim, word_dim = embedder["char_dim"], embedder["word_dim"]
    n_filters = sum(number for _, number in embedder["filters"])

    def draw(*shape: int, scale: float = 1.0) -> numpy.ndarray:
        return random.normal(0.0, scale, shape).astype("float32")

    tokens = {
        "word_emb_layer.embedding.weight": draw(len(case.words), word_dim),
        "char_emb_layer.embedding.weight": draw(len(case.characters), char_dim),
        "projection.weight": draw(dim, word_dim + n_filters, scale=1.5 * n_filters**-0.5),
        "projection.bias": draw(dim, scale=0.3),
    }
    for i, (width, number) in enumerate(embedder["filters"]):
        tokens[f"convolutions.{i}.weight"] = draw(
            number, char_dim, width, scale=(width * char_dim) ** -0.5
        )
        tokens[f"convolutions.{i}.bias"] = draw(number, scale=0.5)
    for k in range(embedder["n_highway"]):
        name = f"highways._layers.{k}."
        tokens[name + "weight"] = draw(2 * n_filters, n_filters, scale=1.5 * n_filters**-0.5)
        tokens[name + "bias"] = draw(2 * n_filters, scale=0.5)
    lstms = {}
    for direction in ("forward", "backward"):
        for k in range(encoder["n_layers"]):
            name = f"{direction}_layer_{k}."
            scale = 1.5 * (2 * dim) ** -0.5
            lstms[name + "input_linearity.weight"] = draw(4 * cell_size, dim, scale=scale)
            lstms[name + "state_linearity.weight"] = draw(4 * cell_size, dim, scale=scale)
            lstms[name + "state_linearity.bias"] = draw(4 * cell_size, scale=0.5)
            lstms[name + "state_projection.weight"] = draw(
                dim, cell_size, scale=2.0 * cell_size**-0.5
            )
    return {"token_embedder.pkl": tokens, "encoder.pkl": lstms}


def write_many_langs(
    folder: Path, case: ManyLangsCase = CASES["plain"], *, seed: int = 0, has_config: bool = True
) -> Path:
    """
    Writes a biLM into `folder`, which is created if needed, and returns the path of `encoder.pkl`.

    The state dicts have the format of PyTorch 0.4. Without `has_config` the config of the network
    is missing, as in published models.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = "cnn_50_100_512_4096_sample.json"
    arguments = {"config_path": f"/home/somebody/elmo/configs/{name}", "gpu": 0}
    (folder / "config.json").write_text(json.dumps(arguments))
    if has_config:
        (folder / name).write_text(json.dumps(case.config))
    for file, entries in (("word.dic", case.words), ("char.dic", case.characters)):
        lines = [f"{entry}\t{number}\n" for number, entry in enumerate(entries)]
        (folder / file).write_text("".join(lines), encoding="utf-8")
    for file, arrays in many_langs_arrays(case, seed).items():
        tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
        torch.save(tensors, folder / file, _use_new_zipfile_serialization=False)
    return folder / "encoder.pkl"
