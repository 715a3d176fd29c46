"""
Throughput of `allennlp elmo --ray` beside one process without Ray.
"""

import os
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, List

import torch

from allennlp_elmo_plugin.extraction.distributed.driver import DistributedExtraction
from allennlp_elmo_plugin.extraction.distributed.on_ray import LOCAL, Cluster
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions
from allennlp_elmo_plugin.extraction.distributed.reductions import AllVectors
from allennlp_elmo_plugin.extraction.distributed.shard import Receipt
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from benchmarks.extraction import Corpus, write_corpus
from benchmarks.memory import in_fresh_process
from benchmarks.report import Section, Table, times
from benchmarks.sentences import Sentence
from benchmarks.settings import Settings

__all__ = ["extract", "measure_scaling"]

NUM_SHARDS, NUM_SENTENCES = 4, 10_000
NUM_EMPTY_SHARDS = 300
LAYERS: Dict[str, Any] = {"layers": "top", "pool": "mean"}
ONE_PROCESS, ONE_WORKER, TWO_WORKERS = "no Ray", "1 worker", "2 workers"


def measure_scaling(settings: Settings) -> Section:
    """
    Times the extraction of four shards of 10,000 sentences to Parquet, pooled.

    Three sides take turns, each process with one thread: an `ExtractionJob` on the whole text in
    this process; one worker on Ray; and two workers on two nodes of Ray on this machine. The times
    begin when the model is loaded: with Ray, they are those from the start of the first shard to
    the end of the last. Then two workers extract 300 shards of one sentence of one token.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Throughput for each shape and precision, and the time that a shard of no work takes.
    """
    rows: List[Dict[str, Any]] = []
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with TemporaryDirectory() as name, _two_nodes() as address:
        folder = Path(name)
        corpus = write_corpus(
            _repeated(settings.sentences, NUM_SHARDS * NUM_SENTENCES), folder / "text.txt"
        )
        tiny = write_corpus([["a"]] * NUM_EMPTY_SHARDS, folder / "tiny.txt")
        for shape, model in settings.models.items():
            for precision in settings.precisions:
                options = {"model": str(model), "precision": precision, **LAYERS}
                rates = _rates(options, corpus, address, settings.rounds)
                cluster = Cluster(address, 2, 1, 0.0)
                receipts = _extract_elsewhere(options, tiny.path, 2, cluster)
                row = {"shape": shape, "precision": precision, "tokens": corpus.num_tokens}
                rows.append({**row, **rates, "empty_seconds": _seconds(receipts) / len(receipts)})
    torch.set_num_threads(num_threads)
    return Section({"scaling": rows}, [_table(rows)])


def extract(
    options: Dict[str, Any], source: Path, shard_bytes: int, cluster: Cluster
) -> List[Receipt]:
    """
    Extracts the vectors of a file on Ray.

    # Parameters

    options : `Dict[str, Any]`
        Arguments of `ElmoExtractor.load`.
    source : `Path`
        File of tokenized sentences.
    shard_bytes : `int`
        Size of a shard.
    cluster : `Cluster`
        The processes.

    # Returns

    `List[Receipt]`
        Receipts of all shards.
    """
    with TemporaryDirectory(dir=source.parent) as name, _silence():
        output = AllVectors(str(Path(name, "vectors")))
        extraction = DistributedExtraction(
            str(source), output, options, InputOptions(), cluster, shard_bytes
        )
        result = extraction.run(lambda plan: None)
    if result.failures:
        raise RuntimeError(f"A shard was set aside: {result.failures[0].error}")
    return result.receipts


def _rates(
    options: Dict[str, Any], corpus: Corpus, address: str, num_rounds: int
) -> Dict[str, float]:
    """Returns the tokens per second of each side."""
    shard_bytes = -(-corpus.path.stat().st_size // NUM_SHARDS)
    extractor = ElmoExtractor.load(**options)
    rates: Dict[str, List[float]] = {ONE_PROCESS: [], ONE_WORKER: [], TWO_WORKERS: []}
    for _ in range(num_rounds):
        rates[ONE_PROCESS].append(corpus.num_tokens / _time_job(extractor, corpus))
        for side, cluster in (
            (ONE_WORKER, Cluster(LOCAL, 1, 1, 0.0)),
            (TWO_WORKERS, Cluster(address, 2, 1, 0.0)),
        ):
            receipts = _extract_elsewhere(options, corpus.path, shard_bytes, cluster)
            rates[side].append(corpus.num_tokens / _seconds(receipts))
    return {side: median(measured) for side, measured in rates.items()}


def _extract_elsewhere(*arguments: Any) -> List[Receipt]:
    # Ray Data of a process does not work with a second cluster.
    return in_fresh_process(extract, *arguments)


def _time_job(extractor: ElmoExtractor, corpus: Corpus) -> float:
    with TemporaryDirectory(dir=corpus.path.parent) as name, _silence():
        job = ExtractionJob(
            SentenceFile(corpus.path), extractor, ExtractionTask(Path(name, "vectors.parquet"))
        )
        started = time.monotonic()
        job.run(job.plan())
        return time.monotonic() - started


def _seconds(receipts: List[Receipt]) -> float:
    end = max(receipt.started + receipt.seconds for receipt in receipts)
    return end - min(receipt.started for receipt in receipts)


def _repeated(sentences: List[Sentence], number: int) -> List[Sentence]:
    return (sentences * -(-number // len(sentences)))[:number]


@contextmanager
def _two_nodes() -> Iterator[str]:
    """Starts two nodes of Ray on this machine, and yields their address."""
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        nodes.add_node(num_cpus=2)
        yield nodes.address
    finally:
        nodes.shutdown()


@contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(
        nowhere
    ), redirect_stdout(nowhere):
        yield


def _table(rows: List[Dict[str, Any]]) -> Table:
    return Table(
        "From four shards of 10,000 lines to Parquet, means of the top layer, one thread for each\n"
        "process: tokens per second; share of one worker in the speed without Ray; two workers on\n"
        "two nodes as a multiple of one; milliseconds of two workers for a shard of one word",
        (
            *("shape", "precision", ONE_PROCESS, ONE_WORKER, TWO_WORKERS),
            *("share", "speed-up", "empty shard"),
        ),
        [
            (
                row["shape"],
                row["precision"],
                *(f"{row[side]:.0f}" for side in (ONE_PROCESS, ONE_WORKER, TWO_WORKERS)),
                f"{row[ONE_WORKER] / row[ONE_PROCESS]:.0%}",
                times(row[TWO_WORKERS] / row[ONE_WORKER]),
                f"{1000 * row['empty_seconds']:.1f}",
            )
            for row in rows
        ],
    )
