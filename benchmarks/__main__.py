"""
The command `python -m benchmarks`, which runs all sections or some.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import torch

from benchmarks.embedding import measure_embedding
from benchmarks.epochs import measure_epochs
from benchmarks.extraction import measure_extraction
from benchmarks.footprint import measure_footprint
from benchmarks.gpu import measure_gpu
from benchmarks.growth import measure_growth
from benchmarks.indexing import measure_indexing
from benchmarks.language_model import measure_language_model
from benchmarks.layers import measure_layers
from benchmarks.loading import measure_loading
from benchmarks.machine import describe_machine
from benchmarks.many_langs import measure_many_langs
from benchmarks.plot import plot_speeds
from benchmarks.report import Section, format_table
from benchmarks.scaling import measure_scaling
from benchmarks.scaling_limits import measure_scaling_limits
from benchmarks.scoring import measure_scoring
from benchmarks.sentences import generate_sentences, read_sentences
from benchmarks.settings import Settings
from benchmarks.shapes import SHAPES, write_model
from benchmarks.sides import PRECISIONS
from benchmarks.training import measure_training

GPU = "gpu"
ON_RAY = ("scaling", "scaling_limits")
SECTIONS: Dict[str, Callable[[Settings], Section]] = {
    "embedding": measure_embedding,
    "extraction": measure_extraction,
    "layers": measure_layers,
    "training": measure_training,
    "language_model": measure_language_model,
    "scoring": measure_scoring,
    "memory": measure_footprint,
    "loading": measure_loading,
    "many_langs": measure_many_langs,
    "indexing": measure_indexing,
    "growth": measure_growth,
    "epochs": measure_epochs,
    "scaling": measure_scaling,
    "scaling_limits": measure_scaling_limits,
    GPU: measure_gpu,
}


class Extent(NamedTuple):
    """
    Default workload of a run.

    # Parameters

    shapes : `Tuple[str, ...]`
        Keys of `SHAPES`.
    rounds : `int`
        Number of times that each task is timed.
    batch_sizes : `Tuple[int, ...]`
        Numbers of sentences per batch.
    document_lengths : `Tuple[int, ...]`
        Numbers of tokens of the documents that the plugin embeds.
    allennlp_document_lengths : `Tuple[int, ...]`
        Numbers of tokens of the documents that AllenNLP's class embeds.
    """

    shapes: Tuple[str, ...]
    rounds: int
    batch_sizes: Tuple[int, ...]
    document_lengths: Tuple[int, ...]
    allennlp_document_lengths: Tuple[int, ...]


FULL = Extent(tuple(SHAPES), 3, (1, 8, 32, 128), (50, 500, 5000), (50, 500))
QUICK = Extent(tuple(SHAPES)[:1], 1, (1, 8, 32), (50, 500), (50, 500))


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """
    Runs the sections, prints their tables, and writes `results.json` and `speed.png`.

    `results.json` has times in seconds, sizes in bytes, and rates per second.

    # Parameters

    arguments : `Sequence[str]`, optional (default = `None`)
        Arguments in place of the command line's.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    if GPU in chosen.only and not torch.cuda.is_available():
        parser.error("the section 'gpu' needs an NVIDIA GPU, and PyTorch finds none here")
    extent = QUICK if chosen.quick else FULL
    try:
        sentences = read_sentences(chosen.sentences) if chosen.sentences else generate_sentences()
        chosen.output.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    machine = describe_machine()
    print("  ".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n", flush=True)
    results: Dict[str, Any] = {"machine": machine}
    with TemporaryDirectory() as folder:
        settings = Settings(
            # The smallest shape comes first, in whatever order the command line names them.
            models={
                shape: write_model(shape, folder)
                for shape in SHAPES
                if shape in (chosen.shapes or extent.shapes)
            },
            sentences=sentences,
            precisions=tuple(chosen.precisions),
            batch_sizes=tuple(sorted(chosen.batch_sizes or extent.batch_sizes)),
            document_lengths=extent.document_lengths,
            allennlp_document_lengths=extent.allennlp_document_lengths,
            rounds=chosen.rounds or extent.rounds,
        )
        for name in chosen.only:
            section = SECTIONS[name](settings)
            for table in section.tables:
                print(format_table(table), end="\n\n", flush=True)
            results.update(section.results)
    written = chosen.output / "results.json"
    written.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"Written: {written}")
    if "embedding" in results:
        plot = chosen.output / "speed.png"
        plot_speeds(results["embedding"], plot)
        print(f"Written: {plot}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the embedder beside AllenNLP's own class.",
    )
    parser.add_argument(
        "--sentences",
        type=Path,
        help="a .conllu file, or a text file with one tokenized sentence per line "
        "(default: generated sentences)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output/benchmarks"),
        help="the folder to write to (default: %(default)s)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="measure the smallest shape with few batches and one round, in a few minutes",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=[
            name
            for name in SECTIONS
            if name not in ON_RAY and (name != GPU or torch.cuda.is_available())
        ],
        help="the sections to run (default: all but those on Ray; 'gpu' only where there is one)",
    )
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, help="the shapes of the biLM")
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=PRECISIONS,
        default=PRECISIONS,
        help="the plugin's precisions (default: all)",
    )
    parser.add_argument(
        "--batch-sizes", nargs="+", type=_positive, help="numbers of sentences per batch"
    )
    parser.add_argument("--rounds", type=_positive, help="number of times that each task is timed")
    parser.add_argument(
        "--threads", type=_positive, help="number of threads (default: torch's own)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


if __name__ == "__main__":
    main()
