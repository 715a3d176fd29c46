"""
Options files: damaged JSON, and JSON with values of any type and size.
"""

import copy
import json
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from overrides import overrides

from allennlp_elmo_plugin import (
    BilmEncoder,
    ElmoBilm,
    ElmoOptions,
    ElmoTokenEmbedder,
    NoWordCache,
    ZeroState,
)
from allennlp_elmo_plugin.kernels import use_kernels
from allennlp_elmo_plugin.network.spelling import spell_sentences
from reliability.fuzz.damage import damage
from reliability.fuzz.kind import Kind, clear_errors, require
from reliability.fuzz.odd_files import place_odd_file
from tests.support.elmo_files import elmo_options, write_elmo_files

__all__ = ["OptionsKind"]

SMALL = 10**6
"""The largest number of parameters of a biLM that is built."""

LONGEST_WORD = 1000
TOLERANCE = 1e-4

NUMBERS: Tuple[Any, ...] = (
    0, -1, 1, 2, 3, 16, 17, 50, 64, 255, 261, 262, 1000, 10**6, 10**9, 2**31, 2**63, 10**30,
    0.0, -0.0, 0.5, 3.0, -3.0, 1e-300, 1e-45, 1e30, 1e39, 1e308, True, False,
)  # fmt: skip
OTHERS: Tuple[Any, ...] = (None, "", "3", "relu", "tanh", "\u2028\x00", [], [3], {}, {"dim": 3})
LITERALS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1E400", "01", "0x10", "'3'", "nul")

Way = Callable[[Random, Dict[str, Any]], bytes]


class OptionsKind(Kind):
    """
    Options files.

    An accepted file must build a biLM with which the kernels and plain PyTorch agree, or give a
    clear error. A biLM of more than a million parameters is not built; its options are held against
    a small weight file, which they cannot fit.
    """

    name = "options"
    cases = 2000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._weights = write_elmo_files(folder).weight_file

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        path = folder / "options.json"
        if random.random() < 0.02:
            place_odd_file(random, path)
        else:
            path.write_bytes(random.choice(_WAYS)(random, _honest(random)))
        with clear_errors(str(path)):
            options = ElmoOptions.from_file(path)
        if _num_parameters(options) > SMALL:
            with clear_errors():
                ElmoBilm.from_files(path, self._weights)
            require(False, "options of a large biLM fit the weights of a small one")
        with clear_errors():
            vectors = _embed(options)
        shape = (2, 3, 2 * options.projection_dim)
        require(vectors.shape == shape, f"vectors of shape {tuple(vectors.shape)}, not {shape}")
        require(vectors.isfinite().all(), "vectors that are not finite")


def _embed(options: ElmoOptions) -> torch.Tensor:
    """Returns the vectors of a biLM with random weights, the same by the kernels and without."""
    encoder = BilmEncoder(ElmoBilm(options), ZeroState(), NoWordCache())
    embedder = ElmoTokenEmbedder.from_parts(encoder, dropout=0.0).eval()
    ids = spell_sentences([["a", "caf\u00e9", "."], ["b"]], options.max_characters_per_token)
    with torch.no_grad():
        vectors = embedder(ids)
        with use_kernels("plain"):
            plain = embedder(ids)
    require(torch.allclose(vectors, plain, atol=TOLERANCE), "kernels differ from PyTorch")
    return vectors


def _num_parameters(options: ElmoOptions) -> int:
    """Returns about the number of parameters, and more for what else takes memory."""
    filters, dim, cells = options.num_filters, options.projection_dim, options.cell_size
    if options.max_characters_per_token > LONGEST_WORD:
        return SMALL + 1
    convolutions = sum(width * number for width, number in options.filters)
    return (
        262 * options.char_embedding_dim
        + convolutions * options.char_embedding_dim
        + options.num_highways * (2 * filters**2 + 1000)
        + filters * dim
        + 2 * options.num_layers * (8 * dim * cells + dim * cells + 1000)
    )


def _honest(random: Random) -> Dict[str, Any]:
    return elmo_options(
        filters=random.choice((((1, 4), (2, 6)), ((1, 8), (2, 8)), ((3, 5),))),
        activation=random.choice(("relu", "tanh")),
        n_highway=random.randrange(3),
        max_characters=random.choice((5, 20, 50)),
        n_layers=random.randint(1, 3),
        cell_size=random.choice((3, 8, 16)),
        projection_dim=random.choice((3, 8, 16)),
        cell_clip=random.choice((3.0, 0.2, None, "missing")),
        proj_clip=random.choice((3.0, 0.2, None, "missing")),
        use_skip_connections=random.random() < 0.5,
    )


def _damaged(random: Random, content: Dict[str, Any]) -> bytes:
    return damage(random, json.dumps(content, indent=random.choice((None, 2))).encode())


def _changed(random: Random, content: Dict[str, Any]) -> bytes:
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        content = _with_change(random, content)
    return json.dumps(content).encode()


def _with_literal(random: Random, content: Dict[str, Any]) -> bytes:
    """Puts a text in place of a value that `json.dumps` would not write."""
    marked = _with_change(random, content, lambda value: "@@")
    digits = "9" * random.choice((20, 400, 4300, 5000, 100_000))
    literal = random.choice((*LITERALS, digits, "-" + digits, digits + ".5", f"1e{digits[:9]}"))
    return json.dumps(marked).replace('"@@"', literal).encode()


def _deep(random: Random, content: Dict[str, Any]) -> bytes:
    depth = random.choice((10, 100, 990, 5000, 200_000))
    opening, closing = random.choice((("[", "]"), ('{"dim":', "}")))
    marked = _with_change(random, content, lambda value: "@@")
    nested = opening * depth + "1" + closing * random.choice((depth, 0))
    return json.dumps(marked).replace('"@@"', nested).encode()


def _duplicated(random: Random, content: Dict[str, Any]) -> bytes:
    changed = json.dumps(_with_change(random, content))
    honest = json.dumps(content)
    return f"{honest[:-1]}, {changed[1:]}".encode()


def _encoded(random: Random, content: Dict[str, Any]) -> bytes:
    text = json.dumps({**content, "caf\u00e9": "\u2028"}, ensure_ascii=False)
    encoding = random.choice(("utf-8-sig", "utf-16", "utf-32", "latin-1", "utf-8"))
    return text.encode(encoding, "replace")


def _whole(random: Random, content: Dict[str, Any]) -> bytes:
    """Returns a file whose outermost value is another than an object."""
    value = random.choice((*NUMBERS, *OTHERS, [content], {"char_cnn": 1, "lstm": 2}))
    return json.dumps(value).encode() * random.choice((1, 1, 2))


def _many(random: Random, content: Dict[str, Any]) -> bytes:
    """Returns a file with very many filters or unknown keys."""
    number = random.choice((10, 1000, 100_000))
    if random.random() < 0.5:
        content["char_cnn"]["filters"] = [[1, 1]] * number
    else:
        content["lstm"].update({f"key {index}": index for index in range(number)})
    return json.dumps(content).encode()


def _with_change(
    random: Random,
    content: Dict[str, Any],
    change: Optional[Callable[[Any], Any]] = None,
) -> Dict[str, Any]:
    content = copy.deepcopy(content)
    places = list(_places(content))
    if not places:
        # An earlier change has deleted everything.
        return content
    holder, key = random.choice(places)
    if change is not None:
        holder[key] = change(holder[key])
    elif random.random() < 0.15:
        del holder[key]
    else:
        value: Any = random.randint(1, 20)
        if random.random() < 0.7:
            value = random.choice(NUMBERS if random.random() < 0.7 else OTHERS)
        holder[key] = random.choice((value, value, value, value, [holder[key]], [value, value]))
    return content


def _places(value: Any) -> List[Tuple[Any, Any]]:
    """Returns every place of a nested value, as the object or array and the key in it."""
    found: List[Tuple[Any, Any]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        found.append((value, key))
        if isinstance(inner, (dict, list)):
            found += _places(inner)
    return found


_WAYS: Tuple[Way, ...] = (
    _damaged, _damaged, _changed, _changed, _changed, _changed,
    _with_literal, _deep, _duplicated, _encoded, _whole, _many,
)  # fmt: skip
