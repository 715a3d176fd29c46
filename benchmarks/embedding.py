"""
How fast a frozen biLM embeds, beside AllenNLP's class and beside what the machine can reach.
"""

from functools import partial
from typing import Any, Dict, List, NamedTuple, Tuple

import torch
from allennlp.modules import TokenEmbedder

from benchmarks.limits import Machine, limit_of, measure_machine
from benchmarks.operations import count_work
from benchmarks.report import Section, Table, milliseconds, times
from benchmarks.sentences import Sentence, document, in_batches
from benchmarks.settings import Settings
from benchmarks.shapes import SHAPES
from benchmarks.sides import ALLENNLP, build_embedder, character_ids, forget_state
from benchmarks.timing import interleaved_medians

__all__ = ["measure_embedding"]

# A pass embeds several batches where they are small, since their sentences differ in length.
SENTENCES_OF_A_PASS = 128
MOST_BATCHES = 8
SENTENCE_LENGTH = 20


class Workload(NamedTuple):
    """The batches of one row of the table."""

    name: str
    batches: List[List[Sentence]]


def measure_embedding(settings: Settings) -> Section:
    """
    Times each side on the same batches, in one process, interleaved, without gradients. The state
    is carried from batch to batch on both sides; neither keeps anything else.

    # Parameters

    settings : `Settings`

    # Returns

    `Section`
        Speed and agreement, the machine's limits, and how near the plugin comes to them.
    """
    rows: List[Dict[str, Any]] = []
    machines: List[Dict[str, Any]] = []
    for shape in settings.models:
        measured = {
            precision: measure_machine(SHAPES[shape], precision)
            for precision in settings.precisions
        }
        machines.extend(
            {"shape": shape, "precision": precision, **machine._asdict()}
            for precision, machine in measured.items()
        )
        rows.extend(_measure_shape(settings, shape, measured))
    return Section(
        {"embedding": rows, "limits": machines},
        [_speed_table(rows), _machine_table(machines), _limits_table(rows)],
    )


def _workloads(settings: Settings) -> List[Workload]:
    workloads = []
    for size in settings.batch_sizes:
        number = min(max(SENTENCES_OF_A_PASS // size, 1), MOST_BATCHES)
        workloads.append(Workload(str(size), in_batches(settings.sentences, size, number)))
    words = document(settings.sentences, SENTENCE_LENGTH)
    return [*workloads, Workload(f"one of {SENTENCE_LENGTH} tokens", [[words]])]


def _measure_shape(
    settings: Settings, shape: str, machines: Dict[str, Machine]
) -> List[Dict[str, Any]]:
    embedders = {
        side: build_embedder(side, settings.models[shape]).eval() for side in settings.sides
    }
    rows = []
    for workload in _workloads(settings):
        batches = [character_ids(batch) for batch in workload.batches]
        agreement = _agreement(embedders, batches)
        tasks = {side: partial(_embed, embedder, batches) for side, embedder in embedders.items()}
        seconds = interleaved_medians(tasks, settings.rounds)
        works = [count_work(SHAPES[shape], batch) for batch in workload.batches]
        for precision in settings.precisions:
            limit = limit_of(works, precision, machines[precision])
            difference, cosine = agreement[precision]
            rows.append(
                {
                    "shape": shape,
                    "precision": precision,
                    "batch": workload.name,
                    "batches": len(batches),
                    "tokens": sum(len(words) for batch in workload.batches for words in batch),
                    "seconds": seconds[precision],
                    "allennlp_seconds": seconds[ALLENNLP],
                    "ratio": seconds[ALLENNLP] / seconds[precision],
                    "largest_difference": difference,
                    "smallest_cosine": cosine,
                    "limit_seconds": limit.seconds,
                    "limit_products_seconds": limit.products,
                    "limit_reading_seconds": limit.reading,
                    "share_of_limit": limit.seconds / seconds[precision],
                }
            )
    return rows


def _embed(embedder: TokenEmbedder, batches: List[torch.Tensor]) -> List[torch.Tensor]:
    with torch.no_grad():
        return [embedder(batch) for batch in batches]


def _agreement(
    embedders: Dict[str, TokenEmbedder], batches: List[torch.Tensor]
) -> Dict[str, Tuple[float, float]]:
    """For each precision, the largest difference and the smallest cosine, from fresh states."""
    vectors = {}
    for side, embedder in embedders.items():
        forget_state(embedder)
        embedded = _embed(embedder, batches)
        vectors[side] = torch.cat(
            [output[(batch > 0).any(dim=-1)] for output, batch in zip(embedded, batches)]
        )
    theirs = vectors.pop(ALLENNLP)
    return {
        precision: (
            float((ours - theirs).abs().max()),
            # Of equal vectors, float32 would give a little less or more than 1.
            float(torch.cosine_similarity(ours.double(), theirs.double(), dim=-1).min()),
        )
        for precision, ours in vectors.items()
    }


def _speed_table(rows: List[Dict[str, Any]]) -> Table:
    return Table(
        "Embedding: tokens per second; agreement with AllenNLP's float32 as the largest absolute\n"
        "difference (float32), or the smallest cosine of a token's two vectors (the others)",
        ("shape", "batch", "precision", "AllenNLP", "plugin", "ratio", "agreement"),
        [
            (
                row["shape"],
                row["batch"],
                row["precision"],
                f"{row['tokens'] / row['allennlp_seconds']:.0f}",
                f"{row['tokens'] / row['seconds']:.0f}",
                times(row["ratio"]),
                f"{row['largest_difference']:.1e}"
                if row["precision"] == "float32"
                else f"{row['smallest_cosine']:.5f}",
            )
            for row in rows
        ],
    )


def _machine_table(machines: List[Dict[str, Any]]) -> Table:
    return Table(
        "What this machine reaches: matrix products in 10^9 operations per second, and reading\n"
        "the recurrent weights of one layer and direction in 10^9 bytes per second",
        ("shape", "precision", "products", "by", "reading", "by"),
        [
            (
                row["shape"],
                row["precision"],
                f"{row['product_rate'] / 1e9:.0f}",
                row["product_by"],
                f"{row['read_bandwidth'] / 1e9:.0f}",
                row["read_by"],
            )
            for row in machines
        ],
    )


def _limits_table(rows: List[Dict[str, Any]]) -> Table:
    return Table(
        "How near that is: milliseconds per batch that the products alone, and reading the\n"
        "weights once a step, would take; the limit, of whichever is longer in each step; and\n"
        "its share of the plugin's time (benchmarks/operations.py says what is counted)",
        ("shape", "batch", "precision", "products", "reading", "limit", "plugin", "share"),
        [
            (
                row["shape"],
                row["batch"],
                row["precision"],
                milliseconds(row["limit_products_seconds"] / row["batches"]),
                milliseconds(row["limit_reading_seconds"] / row["batches"]),
                milliseconds(row["limit_seconds"] / row["batches"]),
                milliseconds(row["seconds"] / row["batches"]),
                f"{row['share_of_limit']:.0%}",
            )
            for row in rows
        ],
    )
