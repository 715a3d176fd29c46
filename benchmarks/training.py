"""
Time and memory of a training step of fine-tuning: forward, backward and an SGD update.
"""

from pathlib import Path
from typing import Callable, List

import torch

from benchmarks.memory import MemoryMeter, in_fresh_process
from benchmarks.report import Section, Table, mebibytes, milliseconds, times
from benchmarks.sentences import Sentence, in_batches
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder, character_ids
from benchmarks.timing import interleaved_medians

__all__ = ["measure_training"]

BATCH_SIZE = 32
PLUGIN = "float32"
LEARNING_RATE = 0.01


def measure_training(settings: Settings) -> Section:
    """
    Times a training step on 32 sentences on both sides, interleaved, and measures its peak memory.

    Memory is measured in a process of its own for each side. The loss is the mean of the squared
    vectors. There is no dropout.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Time and peak memory for the largest shape in float32.
    """
    shape = settings.largest
    folder = settings.models[shape]
    (batch,) = in_batches(settings.sentences, BATCH_SIZE, 1)
    tasks = {side: _step_of(side, folder, batch) for side in (ALLENNLP, PLUGIN)}
    for step in tasks.values():
        step()
    seconds = interleaved_medians(tasks, settings.rounds)
    peaks = {side: in_fresh_process(_peak_of, side, folder, batch) for side in tasks}
    speed_ratio = seconds[ALLENNLP] / seconds[PLUGIN]
    memory_ratio = peaks[PLUGIN] / peaks[ALLENNLP]
    row = {
        "shape": shape,
        "batch": BATCH_SIZE,
        "seconds": seconds[PLUGIN],
        "allennlp_seconds": seconds[ALLENNLP],
        "ratio": speed_ratio,
        "peak_bytes": peaks[PLUGIN],
        "allennlp_peak_bytes": peaks[ALLENNLP],
        "memory_ratio": memory_ratio,
    }
    table = Table(
        f"Fine-tuning {shape} in float32: a training step on {BATCH_SIZE} sentences",
        ("", ALLENNLP, "plugin", "ratio"),
        [
            (
                "milliseconds",
                *map(milliseconds, (seconds[ALLENNLP], seconds[PLUGIN])),
                times(speed_ratio),
            ),
            (
                "peak memory in MiB",
                *map(mebibytes, (peaks[ALLENNLP], peaks[PLUGIN])),
                f"{memory_ratio:.0%}",
            ),
        ],
    )
    return Section({"training": [row]}, [table])


def _step_of(side: str, folder: Path, batch: List[Sentence]) -> Callable[[], None]:
    embedder = build_embedder(side, folder, requires_grad=True)
    optimizer = torch.optim.SGD(embedder.parameters(), lr=LEARNING_RATE)
    ids = character_ids(batch)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        embedder(ids).pow(2).mean().backward()
        optimizer.step()

    return step


def _peak_of(side: str, folder: Path, batch: List[Sentence]) -> int:
    meter = MemoryMeter()
    _step_of(side, folder, batch)()
    return meter.peak()
