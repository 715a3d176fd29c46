"""Texts that are cut into shards, each run as a job of its own."""

import json
import random
from pathlib import Path
from typing import Any, BinaryIO, Callable, List, Sequence

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.task import ExtractionTask

__all__ = ["CUTS", "make_sentences", "open_file", "run_job", "run_shards"]

NUM_SENTENCES = 40
CUTS = [[], [0, 7, 7, 22, NUM_SENTENCES], list(range(1, NUM_SENTENCES, 5))]
"""Ends of shards: a single shard, some without a sentence, and many."""


def make_sentences() -> List[List[str]]:
    """Makes sentences of frequent and rare words, a stretch of them without the word "rain"."""
    generator = random.Random(0)
    words = ["the", "rain", "falls", "\u96e8", *(f"w{number}" for number in range(30))]
    sentences = [
        generator.choices(words, weights=[9, 5, 3, 3, *[1] * 30], k=1 + number % 6)
        for number in range(NUM_SENTENCES)
    ]
    return [
        [token for token in sentence if token != "rain" or not 6 <= number < 23] or ["the"]
        for number, sentence in enumerate(sentences)
    ]


def run_job(
    sentences: Sequence[Sequence[str]], start: int, extractor: ElmoExtractor, task: ExtractionTask
) -> Path:
    """Runs a task on sentences whose ids count from a number, and returns the output's path."""
    source = task.output.with_suffix(".jsonl")
    lines = [
        json.dumps({"id": f"n\u00b0 {start + number}", "tokens": tokens})
        for number, tokens in enumerate(sentences)
    ]
    source.write_text("\n".join(lines), encoding="utf-8")
    job = ExtractionJob(SentenceFile(source), extractor, task, is_part=True)
    job.run(job.plan())
    source.unlink()
    return task.output


def run_shards(
    sentences: Sequence[Sequence[str]],
    cuts: Sequence[int],
    extractor: ElmoExtractor,
    make_task: Callable[[Path], Any],
    folder: Path,
) -> List[str]:
    """Runs a task on each shard, and returns the paths of their tables."""
    ends = [0, *cuts, len(sentences)]
    return [
        str(
            run_job(sentences[start:end], start, extractor, make_task(folder / f"{number}.parquet"))
        )
        for number, (start, end) in enumerate(zip(ends, ends[1:]))
    ]


def open_file(path: str) -> BinaryIO:
    """Opens a local table."""
    return open(path, "rb")
