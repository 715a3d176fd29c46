"""
Batches of character ids of any shape, type, layout and value.
"""

from functools import lru_cache
from math import prod
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy
import torch
from overrides import overrides

from allennlp_elmo_plugin import ElmoTokenEmbedder
from reliability.fuzz.kind import ClearError, Kind, clear_errors, require
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.embedders import embedder
from tests.support.oracle import Oracle, character_ids, mix_layers
from tests.support.words import WORD_LIST

__all__ = ["BatchesKind"]

WIDTH = 12
LARGEST_ID = 261
TOLERANCE = 1e-4

DTYPES = (
    torch.int64, torch.int64, torch.int64, torch.int64, torch.int32, torch.int32, torch.int16,
    torch.uint8, torch.bool, torch.float32, torch.float64, torch.bfloat16, torch.complex64,
)  # fmt: skip
EDGES = (
    -(2**63),
    -(2**31),
    -1,
    0,
    1,
    256,
    258,
    261,
    262,
    263,
    264,
    2**15,
    2**31,
    2**32 + 5,
    2**63 - 1,
)

Change = Callable[[Random, torch.Tensor], torch.Tensor]

EMBEDDERS: Tuple[Dict[str, Any], ...] = (
    {},
    {"word_cache": "none"},
    {"word_cache": {"type": "lru", "capacity": 3}},
    {"word_cache": {"type": "vocabulary", "words": ["(padding)", *WORD_LIST]}},
    {"keep_sentence_boundaries": True},
)
VOCABULARY = 3
"""The position of the embedder that reads word ids."""


class BatchesKind(Kind):
    """
    Batches for an embedder.

    Words of sentences must have the vectors of the NumPy oracle. Other valid ids must have, in a
    batch, the vectors that each sentence has alone. Everything else must be refused.
    """

    name = "batches"
    cases = 2000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        options = elmo_options(
            filters=((1, 3), (2, 5)),
            char_dim=4,
            max_characters=WIDTH,
            cell_size=16,
            projection_dim=16,
        )
        files = write_elmo_files(folder, options)
        self._oracle = Oracle(*files)
        # Most time of the oracle goes into its words.
        object.__setattr__(self._oracle, "word_vector", lru_cache()(self._oracle.word_vector))
        encoder = {"initial_state": "zero"}
        self._embedders = [embedder(files, encoder=encoder, **each).eval() for each in EMBEDDERS]
        self._alone = embedder(files, word_cache="none", encoder=encoder).eval()

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        number = random.randrange(len(EMBEDDERS))
        keeps = "keep_sentence_boundaries" in EMBEDDERS[number]
        sentences: Optional[List[List[str]]] = None
        if random.random() < 0.5:
            sentences = _sentences(random)
            ids = _spelled(sentences)
        else:
            ids = _random_ids(random)
        for _ in range(random.choice((0, 0, 1, 1, 2))):
            changed = random.choice(_CHANGES)(random, ids)
            sentences = sentences if changed is ids else None
            ids = changed
        ids = random.choice(_LAYOUTS)(random, ids)
        words = _word_ids(random, ids, sentences) if random.random() < 0.3 else None
        # Only this word cache reads word ids; the others may refuse them.
        if words is not None and random.random() < 0.9:
            number, keeps = VOCABULARY, False
        expected = self._expected(ids, words, sentences, keeps)
        try:
            with clear_errors(), torch.no_grad():
                vectors = self._embedders[number](ids, words)
        except ClearError as error:
            may_refuse = words is not None and number != VOCABULARY
            require(expected is None or may_refuse, f"a valid batch was refused: {error}")
            raise
        require(expected is not None, "an invalid batch was accepted")
        assert expected is not None
        require(vectors.shape == expected.shape, "vectors of another shape")
        near = numpy.allclose(vectors.numpy(), expected, atol=TOLERANCE)
        require(near, "vectors other than the right ones")

    def _expected(
        self,
        ids: torch.Tensor,
        words: Optional[torch.Tensor],
        sentences: Optional[List[List[str]]],
        keeps: bool,
    ) -> Optional[numpy.ndarray]:
        """Returns the right vectors, or `None` if the batch is to be refused."""
        if not _is_valid(ids) or not _are_valid_words(ids, words):
            return None
        if sentences is not None:
            result = self._oracle.batch_layers(sentences, timesteps=ids.shape[1])
            mixed = mix_layers(result.layers, result.mask)
            lengths: Sequence[int] = [len(sentence) for sentence in sentences]
            return mixed if keeps else _without_boundaries(mixed, lengths)
        if keeps:
            # The reference has no boundaries, so it cannot tell.
            with torch.no_grad():
                return self._embedders[-1](ids.clone().contiguous()).numpy()
        return _each_alone(self._alone, ids)


def _each_alone(alone: ElmoTokenEmbedder, ids: torch.Tensor) -> numpy.ndarray:
    """Returns the vectors of each sentence, run by itself without padding."""
    rows = ids.reshape(prod(ids.shape[:-2]), *ids.shape[-2:]).long()
    vectors = torch.zeros(len(rows), rows.shape[1], alone.get_output_dim())
    for row, sentence in zip(vectors, rows):
        length = int((sentence != 0).any(dim=-1).sum())
        if length:
            with torch.no_grad():
                row[:length] = alone(sentence[None, :length])[0]
    return vectors.reshape(*ids.shape[:-1], vectors.shape[-1]).numpy()


def _without_boundaries(mixed: numpy.ndarray, lengths: Sequence[int]) -> numpy.ndarray:
    vectors = numpy.zeros((len(mixed), mixed.shape[1] - 2, mixed.shape[2]))
    for row, (sentence, length) in enumerate(zip(mixed, lengths)):
        vectors[row, :length] = sentence[1 : length + 1]
    return vectors


def _is_valid(ids: torch.Tensor) -> bool:
    """Returns `True` for ids that an embedder must accept."""
    if ids.layout != torch.strided or ids.device.type != "cpu" or ids.is_quantized:
        return False
    if ids.dtype not in (torch.int64, torch.int32) or ids.dim() < 3 or ids.shape[-1] != WIDTH:
        return False
    array = ids.numpy()
    if not ((array >= 0) & (array <= LARGEST_ID)).all():
        return False
    is_token = (array != 0).any(axis=-1)
    return bool((is_token[..., :-1] >= is_token[..., 1:]).all())


def _are_valid_words(ids: torch.Tensor, words: Optional[torch.Tensor]) -> bool:
    if words is None:
        return True
    if words.dtype not in (torch.int64, torch.int32) or words.shape != ids.shape[:-1]:
        return False
    is_token = (ids != 0).any(dim=-1) if ids.numel() else words > 0
    return bool(((words > 0) == is_token).all())


def _sentences(random: Random) -> List[List[str]]:
    lengths = [random.choice((0, 1, 2, 3, 5, 9)) for _ in range(random.randint(0, 5))]
    return [random.choices(WORD_LIST, k=length) for length in lengths]


def _spelled(sentences: List[List[str]]) -> torch.Tensor:
    timesteps = max([len(words) for words in sentences] + [0])
    ids = torch.zeros(len(sentences), timesteps, WIDTH, dtype=torch.long)
    for row, words in enumerate(sentences):
        for column, word in enumerate(words):
            ids[row, column] = torch.tensor(character_ids(word, WIDTH)) + 1
    return ids


def _random_ids(random: Random) -> torch.Tensor:
    outer = [random.randint(0, 3) for _ in range(random.choice((0, 1, 1, 1, 2, 3)))]
    width = WIDTH if random.random() < 0.85 else random.choice((0, 1, 11, 13, 50))
    ids = torch.randint(1, LARGEST_ID + 1, (*outer, random.randint(0, 6), width))
    if ids.dim() >= 2 and ids.numel() and random.random() < 0.7:
        rows = ids.view(-1, *ids.shape[-2:])
        for row in rows:
            row[random.randint(0, len(row)) :] = 0
    return ids


def _word_ids(
    random: Random, ids: torch.Tensor, sentences: Optional[List[List[str]]]
) -> torch.Tensor:
    if ids.layout != torch.strided or ids.device.type != "cpu" or ids.dim() < 1:
        return torch.ones(2, 3, dtype=torch.long)
    is_token = (ids.to(torch.float64) if ids.dtype.is_floating_point else ids).ne(0).any(dim=-1)
    highest = random.choice((2, len(WORD_LIST), 2**40))
    words = torch.randint(1, highest, is_token.shape) * is_token
    if sentences is not None and random.random() < 0.7:
        for row, sentence in zip(words, sentences):
            for column, word in enumerate(sentence[: row.numel()]):
                row[column] = WORD_LIST.index(word) + 1
    if random.random() < 0.2:
        words = words.to(random.choice(DTYPES))
    if random.random() < 0.2 and words.numel() and words.dtype == torch.int64:
        words.reshape(-1)[random.randrange(words.numel())] = random.choice(EDGES)
    return words


def _cast(random: Random, ids: torch.Tensor) -> torch.Tensor:
    dtype = random.choice(DTYPES)
    return ids if dtype == ids.dtype else ids.to(dtype)


def _edge(random: Random, ids: torch.Tensor) -> torch.Tensor:
    changed = ids.clone()
    if ids.numel() and ids.dtype == torch.int64:
        for _ in range(random.choice((1, 1, 5))):
            changed.view(-1)[random.randrange(ids.numel())] = random.choice(EDGES)
    return changed


def _hole(random: Random, ids: torch.Tensor) -> torch.Tensor:
    changed = ids.clone()
    if ids.numel() and ids.dim() >= 2:
        rows = changed.view(-1, ids.shape[-1])
        rows[random.randrange(len(rows))] = 0
    return changed


def _reshaped(random: Random, ids: torch.Tensor) -> torch.Tensor:
    way = random.randrange(4)
    if way == 0:
        return ids.unsqueeze(random.randint(0, ids.dim()))
    if way == 1:
        return ids.reshape(-1)
    return ids[0].clone() if way == 2 and len(ids) else ids.flatten(0, 1) if ids.dim() > 1 else ids


def _strided(random: Random, ids: torch.Tensor) -> torch.Tensor:
    """Returns the same ids, laid out in memory in another way."""
    if not ids.dim():
        return ids
    wide = torch.zeros(*ids.shape[:-1], 2 * ids.shape[-1] + 3, dtype=ids.dtype)
    view = wide[..., 1 : 1 + 2 * ids.shape[-1] : 2]
    view.copy_(ids)
    if random.random() < 0.5 and ids.dim() >= 2:
        return ids.transpose(0, -1).contiguous().transpose(0, -1)
    return view


def _expanded(random: Random, ids: torch.Tensor) -> torch.Tensor:
    if not len(ids) or ids.dim() < 2:
        return ids
    return ids[:1].expand(random.randint(1, 5), *ids.shape[1:])


def _unchanged(random: Random, ids: torch.Tensor) -> torch.Tensor:
    return ids


def _sparse(random: Random, ids: torch.Tensor) -> torch.Tensor:
    if ids.dim() == 2 and random.random() < 0.5:
        return ids.to_sparse_csr()
    return ids.to_sparse()


def _meta(random: Random, ids: torch.Tensor) -> torch.Tensor:
    return ids.to("meta")


def _quantized(random: Random, ids: torch.Tensor) -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(2, 3, WIDTH), 1.0, 0, torch.qint32)


_CHANGES: Tuple[Change, ...] = (_cast, _edge, _hole, _reshaped, _expanded, _unchanged)
_LAYOUTS: Tuple[Change, ...] = (
    *(_unchanged,) * 8, *(_strided,) * 8, _sparse, _meta, _quantized,
)  # fmt: skip
