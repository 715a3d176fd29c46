"""
Growth of time and memory with the length of a document and with the batch size.
"""

from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, Tuple

import torch

from benchmarks.memory import MemoryMeter, in_fresh_process
from benchmarks.report import Section, Table, mebibytes, milliseconds
from benchmarks.sentences import Sentence, document, in_batches
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder, character_ids, forget_state
from benchmarks.timing import seconds_of

__all__ = ["measure_growth"]

Batch = List[Sentence]

REPEATED_SECONDS = 2.0


def measure_growth(settings: Settings) -> Section:
    """
    Embeds single documents of growing length, and batches of growing size, without gradients.

    Each series has a process of its own.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Times and peaks of AllenNLP's class and of the plugin's in its first precision, for the
        largest shape.
    """
    shape = settings.largest
    ours = settings.precisions[0]
    rows: List[Dict[str, Any]] = []
    for side, lengths in (
        (ALLENNLP, settings.allennlp_document_lengths),
        (ours, settings.document_lengths),
    ):
        documents = [[document(settings.sentences, length)] for length in lengths]
        batches = [in_batches(settings.sentences, size, 1)[0] for size in settings.batch_sizes]
        for series in (documents, batches):
            measured = in_fresh_process(
                _measure, side, settings.models[shape], series, settings.rounds
            )
            rows.extend(
                {
                    "shape": shape,
                    "side": side,
                    "sentences": len(batch),
                    "tokens": sum(map(len, batch)),
                    "seconds": seconds,
                    "peak_bytes": peak,
                }
                for batch, (seconds, peak) in zip(series, measured)
            )
    table = Table(
        f"Growth of {shape}: milliseconds, milliseconds per token, and peak memory in MiB above\n"
        "the loaded embedder",
        ("", "sentences", "tokens", "time", "per token", "peak"),
        [
            (
                row["side"],
                str(row["sentences"]),
                str(row["tokens"]),
                milliseconds(row["seconds"]),
                milliseconds(row["seconds"] / row["tokens"]),
                mebibytes(row["peak_bytes"]),
            )
            for row in rows
        ],
    )
    return Section({"growth": rows}, [table])


def _measure(side: str, folder: Path, series: List[Batch], rounds: int) -> List[Tuple[float, int]]:
    """Returns the seconds and the peak in bytes of each batch; the smallest batch comes first."""
    embedder = build_embedder(side, folder).eval()
    measured = []
    with torch.no_grad():
        # The first batch costs more than later ones, so a short one goes first.
        embedder(character_ids([["a"]]))
        meter = MemoryMeter()
        for batch in series:
            ids = character_ids(batch)
            seconds: List[float] = []
            # Noise weighs more in short times, and these can be repeated.
            while len(seconds) < rounds and sum(seconds) < REPEATED_SECONDS:
                forget_state(embedder)
                seconds.append(seconds_of(partial(embedder, ids)))
            measured.append((median(seconds), meter.peak()))
    return measured
