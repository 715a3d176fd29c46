"""
Throughput of a frozen biLM, beside AllenNLP's class and beside the machine's limit.
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

# A workload of small batches has several of them, since their sentences differ in length.
SENTENCES_PER_WORKLOAD = 128
MAX_BATCHES = 8
SENTENCE_LENGTH = 20


class Workload(NamedTuple):
    """
    Batches that one row of the table measures.

    # Parameters

    name : `str`
        Entry of the column `batch`.
    batches : `List[List[Sentence]]`
        Batches, which are embedded one after the other.
    """

    name: str
    batches: List[List[Sentence]]


def measure_embedding(settings: Settings) -> Section:
    """
    Times each side on the same batches, interleaved in one process, without gradients.

    Both sides carry the state from batch to batch, and cache nothing.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Throughput and agreement, the machine's limits, and the plugin's share of them.
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
        number = min(max(SENTENCES_PER_WORKLOAD // size, 1), MAX_BATCHES)
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
    """Returns the largest difference and smallest cosine of each precision, from zero states."""
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
            # In float32 the cosine of equal vectors would differ a little from 1.
            float(torch.cosine_similarity(ours.double(), theirs.double(), dim=-1).min()),
        )
        for precision, ours in vectors.items()
    }


def _speed_table(rows: List[Dict[str, Any]]) -> Table:
    return Table(
        "Embedding: throughput in tokens per second; agreement with AllenNLP's float32 as the\n"
        "largest absolute difference (float32), or the smallest cosine of a token's two vectors\n"
        "(bfloat16 and int8)",
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
        "Rates of this machine: matrix products in 10^9 operations per second, and reading the\n"
        "recurrent weights of one layer and direction in 10^9 bytes per second",
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
        "Limit of this machine, in milliseconds per batch: the products alone; reading weights\n"
        "once per timestep; the limit, which takes the longer of the two at each timestep; the\n"
        "plugin's time; and the limit's share of it (benchmarks/operations.py has the counts)",
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
