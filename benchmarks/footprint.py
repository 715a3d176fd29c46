"""
Peak memory of a frozen biLM.
"""

from pathlib import Path
from typing import List

import torch

from benchmarks.memory import MemoryMeter, in_fresh_process
from benchmarks.report import Section, Table, mebibytes
from benchmarks.sentences import Sentence, in_batches
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder, character_ids

__all__ = ["measure_footprint"]

BATCH_SIZE = 32
BATCHES = 2


def measure_footprint(settings: Settings) -> Section:
    """
    Measures each side's peak memory of loading and of embedding batches of 32 sentences.

    Each side has a process of its own.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Peaks for the largest shape.
    """
    shape = settings.largest
    batches = in_batches(settings.sentences, BATCH_SIZE, BATCHES)
    peaks = {
        side: in_fresh_process(_peak_of, side, settings.models[shape], batches)
        for side in settings.sides
    }
    rows = [
        {"shape": shape, "side": side, "peak_bytes": peak, "ratio": peak / peaks[ALLENNLP]}
        for side, peak in peaks.items()
    ]
    table = Table(
        f"Memory of {shape}, frozen: peak in MiB of loading and of embedding {BATCHES} batches of "
        f"{BATCH_SIZE} sentences",
        ("", "peak", "ratio"),
        [(side, mebibytes(peak), f"{peak / peaks[ALLENNLP]:.0%}") for side, peak in peaks.items()],
    )
    return Section({"memory": rows}, [table])


def _peak_of(side: str, folder: Path, batches: List[List[Sentence]]) -> int:
    meter = MemoryMeter()
    embedder = build_embedder(side, folder).eval()
    with torch.no_grad():
        for batch in batches:
            embedder(character_ids(batch))
    return meter.peak()
