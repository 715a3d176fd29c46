"""
Embedding and fine-tuning on a GPU, beside AllenNLP's class and beside the plugin without kernels.
"""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import torch
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin.kernels import use_kernels
from benchmarks.report import Section, Table, milliseconds, times
from benchmarks.sentences import in_batches
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder, character_ids
from benchmarks.timing import interleaved_medians

__all__ = ["measure_gpu"]

BATCH_SIZES = (1, 32)
LEARNING_RATE = 0.01
ROUNDS = 7


class Side(NamedTuple):
    """
    One side of a comparison.

    # Parameters

    column : `str`
        Column of the table that has its times.
    side : `str`
        Side that `build_embedder` builds.
    kernels : `str`, optional (default = `None`)
        Kernels to force; `None` is the plugin's choice.
    """

    column: str
    side: str
    kernels: Optional[str] = None


class Format(NamedTuple):
    """
    A number format, and the sides that compute in it.

    # Parameters

    name : `str`
        Entry of the table.
    sides : `List[Side]`
        Sides, AllenNLP's class first.
    autocasts : `bool`
        `True` to run all sides under autocast to bfloat16.
    is_trained : `bool`
        `True` if the format can be trained.
    """

    name: str
    sides: List[Side]
    autocasts: bool
    is_trained: bool


SIDES = [
    Side(ALLENNLP, ALLENNLP),
    Side("PyTorch", "float32", "plain"),
    Side("kernels", "float32"),
]
FORMATS = [
    Format("float32", SIDES, autocasts=False, is_trained=True),
    Format("autocast to bfloat16", SIDES, autocasts=True, is_trained=True),
    Format(
        "precision bfloat16, beside float32",
        [Side(ALLENNLP, ALLENNLP), Side("kernels", "bfloat16")],
        autocasts=False,
        is_trained=False,
    ),
]


def measure_gpu(settings: Settings) -> Section:
    """
    Times all sides on the same batches, interleaved in one process, on the first GPU.

    A training step is forward, backward and an SGD update; the loss is the mean of the squared
    vectors. There is no dropout, and nothing is cached.

    # Parameters

    settings : `Settings`
        Models and sentences of the run.

    # Returns

    `Section`
        Times of embedding and of fine-tuning.
    """
    rows: List[Dict[str, Any]] = []
    for folder in settings.models.values():
        for size in BATCH_SIZES:
            (sentences,) = in_batches(settings.sentences, size, 1)
            batch = character_ids(sentences).cuda()
            for number_format in FORMATS:
                rows.append(_measure(folder, batch, number_format, trains=False))
                if number_format.is_trained:
                    rows.append(_measure(folder, batch, number_format, trains=True))
    return Section({"gpu": rows}, [_table(rows)])


def _measure(
    folder: Path, batch: torch.Tensor, number_format: Format, trains: bool
) -> Dict[str, Any]:
    embedders = {
        each.column: build_embedder(each.side, folder, requires_grad=trains).cuda()
        for each in number_format.sides
    }
    tasks: Dict[str, Callable[[], torch.Tensor]] = {}
    for each in number_format.sides:
        make = _training_step if trains else _embedding
        run = make(embedders[each.column], batch, number_format.autocasts)
        tasks[each.column] = partial(_run_synchronized, run, each.kernels)
    vectors = {name: task() for name, task in tasks.items()}
    differences = {
        name: float((found.float() - vectors[ALLENNLP].float()).abs().max())
        for name, found in vectors.items()
    }
    for task in tasks.values():
        task()
    seconds = interleaved_medians(tasks, ROUNDS)
    return {
        "shape": folder.name,
        "gpu": torch.cuda.get_device_name(),
        "work": "fine-tuning" if trains else "embedding",
        "batch": len(batch),
        "timesteps": batch.size(1),
        "format": number_format.name,
        "seconds": seconds,
        "largest_difference": differences["kernels"],
    }


def _embedding(
    embedder: TokenEmbedder, batch: torch.Tensor, autocasts: bool
) -> Callable[[], torch.Tensor]:
    def embed() -> torch.Tensor:
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=autocasts):
            vectors: torch.Tensor = embedder(batch)
            return vectors

    return embed


def _training_step(
    embedder: TokenEmbedder, batch: torch.Tensor, autocasts: bool
) -> Callable[[], torch.Tensor]:
    optimizer = torch.optim.SGD(embedder.parameters(), lr=LEARNING_RATE)

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=autocasts):
            vectors: torch.Tensor = embedder(batch)
        vectors.float().pow(2).mean().backward()
        optimizer.step()
        return vectors.detach()

    return step


def _run_synchronized(run: Callable[[], torch.Tensor], kernels: Optional[str]) -> torch.Tensor:
    with nullcontext() if kernels is None else use_kernels(kernels):
        result = run()
    torch.cuda.synchronize()
    return result


def _table(rows: List[Dict[str, Any]]) -> Table:
    return Table(
        "On a GPU: milliseconds per batch; the ratio of AllenNLP's time to that of the kernels;\n"
        "their largest absolute difference from AllenNLP's vectors in the same format",
        ("shape", "work", "batch", "format", ALLENNLP, "PyTorch", "kernels", "ratio", "difference"),
        [
            (
                row["shape"],
                row["work"],
                f"{row['batch']} x {row['timesteps']}",
                row["format"],
                milliseconds(row["seconds"][ALLENNLP]),
                milliseconds(row["seconds"]["PyTorch"]) if "PyTorch" in row["seconds"] else "-",
                milliseconds(row["seconds"]["kernels"]),
                times(row["seconds"][ALLENNLP] / row["seconds"]["kernels"]),
                f"{row['largest_difference']:.1e}",
            )
            for row in rows
        ],
    )
