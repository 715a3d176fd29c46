"""
`allennlp elmo --ray`: writes the vectors of a text with many processes.
"""

import argparse
import math
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator, Optional

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.commands.elmo_arguments import (
    STANDARD_INPUT,
    extractor_options,
    files_read,
    require_float32,
    result_settings,
    target_words,
    warm_up_texts,
)
from allennlp_elmo_plugin.extraction.distributed.cutting import cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.driver import (
    DistributedExtraction,
    DistributedPlan,
)
from allennlp_elmo_plugin.extraction.distributed.input_files import find_input_files
from allennlp_elmo_plugin.extraction.distributed.on_ray import LOCAL, Cluster
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions, open_shard
from allennlp_elmo_plugin.extraction.distributed.reductions import (
    AllVectors,
    Reduction,
    TargetVectors,
    TypeVectors,
)
from allennlp_elmo_plugin.extraction.distributed.summary import summarize
from allennlp_elmo_plugin.extraction.distributed.throughput_plot import plot_throughput
from allennlp_elmo_plugin.extraction.inputs.formats import choose_format
from allennlp_elmo_plugin.extraction.output_paths import (
    require_output_folder,
    require_output_path,
    require_unread,
)
from allennlp_elmo_plugin.extraction.plot_files import require_plot
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io.counted import counted

__all__ = ["add_ray", "extract_with_ray"]

MEGABYTE = 1 << 20


def add_ray(group: "argparse._ArgumentGroup") -> None:
    """
    Adds the arguments that say which processes run.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    """
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        nargs="?",
        const=LOCAL,
        help="run in several processes: of the Ray cluster at ADDRESS (auto for the one that this "
        "machine belongs to), or of this machine alone if there is no ADDRESS. INPUT is then a "
        "file, a folder or a glob in quotes, here or at a URL such as s3://bucket/corpus/*.txt, "
        "and OUTPUT a folder for Parquet files. The same command, run again, completes what a "
        "run has left",
    )
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of processes that run ELMo (default: one for each processor of this machine, "
        "divided by --cpus-per-worker; with ADDRESS, it has to be given)",
    )
    group.add_argument(
        "--cpus-per-worker",
        type=int,
        metavar="N",
        default=1,
        help="number of threads of each worker (default: 1)",
    )
    group.add_argument(
        "--gpus-per-worker",
        type=float,
        metavar="F",
        default=0.0,
        help="number of GPUs of each worker, such as 1, or 0.5 for two workers to a GPU (default: "
        "0, the CPU)",
    )
    group.add_argument(
        "--shard-megabytes",
        type=float,
        metavar="F",
        default=1.0,
        help="size of a shard, the stretch of a file that becomes one file of vectors. A kill "
        "costs the shards under way (default: 1, some 10,000 sentences)",
    )
    group.add_argument(
        "--plot",
        metavar="FILE",
        help="draw the tokens per second over time into FILE, a .svg, .png or .pdf",
    )


def extract_with_ray(arguments: argparse.Namespace) -> None:
    """
    Runs the command in several processes.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.

    # Raises

    `ConfigurationError`
        If an argument or a file is not as expected.
    `SystemExit`
        With status 1 if shards were set aside.
    """
    _refuse_others(arguments)
    if arguments.plot is not None:
        require_plot(Path(arguments.plot))
    cluster, shard_bytes = _cluster(arguments), _shard_bytes(arguments)
    reduction = _reduction(arguments)
    warm_up = warm_up_texts(arguments, _sentences(arguments))
    options = extractor_options(arguments, warm_up)
    for name in ("model", "weight_file"):
        options[name] = _visible(options[name])
    extraction = DistributedExtraction(
        arguments.input,
        reduction,
        options,
        _input_options(arguments),
        cluster,
        shard_bytes,
        result_settings(arguments, warm_up),
    )
    result = extraction.run(_print_plan)
    print(f"Wrote {' and '.join(result.paths)}:")
    print(summarize(result.receipts, result.failures, result.began, result.report))
    if arguments.plot is not None and result.receipts:
        plot_throughput(result.receipts, Path(arguments.plot))
    if result.failures:
        sys.exit(1)


def _print_plan(plan: DistributedPlan) -> None:
    print(
        f"Found {counted(plan.num_sentences, 'sentence')} with "
        f"{counted(plan.num_tokens, 'token')} in {counted(plan.num_files, 'file')}, the longest "
        f"with {plan.longest:,}. They are {counted(plan.num_shards, 'shard')}."
    )


def _refuse_others(arguments: argparse.Namespace) -> None:
    if arguments.input_format is not None:
        # It would set every shard aside.
        choose_format(arguments.input, arguments.input_format, arguments.tokenize)
    if arguments.input == STANDARD_INPUT:
        raise ConfigurationError(
            "Expected files that several processes can read, got standard input. Name files, or "
            "leave out --ray."
        )
    if arguments.initial_state == "carry":
        raise ConfigurationError(
            "Got --ray and --initial-state carry, with which the vectors of a sentence depend on "
            "all sentences before it, so the text cannot be cut up. Take warm or zero, or leave "
            "out --ray."
        )
    if arguments.cuda_device != -1:
        raise ConfigurationError(
            "Got --ray and --cuda-device, but Ray chooses the GPUs. Take --gpus-per-worker."
        )


def _reduction(arguments: argparse.Namespace) -> Reduction:
    reduction = _make_reduction(arguments, _output(arguments))
    if not _is_url(arguments.output):
        require_output = require_output_folder if reduction.keeps_parts else require_output_path
        require_output(Path(reduction.output))
        require_unread(map(Path, reduction.paths()), files_read(arguments))
    return reduction


def _make_reduction(arguments: argparse.Namespace, output: str) -> Reduction:
    if arguments.targets is not None:
        return TargetVectors(output, target_words(arguments), arguments.dtype)
    if arguments.types is not None:
        require_float32(arguments)
        return TypeVectors(output, arguments.types)
    return AllVectors(output, arguments.dtype)


def _input_options(arguments: argparse.Namespace) -> InputOptions:
    return InputOptions(
        arguments.input_format, arguments.tokenize, arguments.keys, arguments.blank_lines
    )


def _cluster(arguments: argparse.Namespace) -> Cluster:
    for name in ("workers", "cpus_per_worker"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigurationError(
                f"Expected --{name.replace('_', '-')} to be at least 1, got {value}."
            )
    if not 0 <= arguments.gpus_per_worker < math.inf:
        raise ConfigurationError(
            f"Expected --gpus-per-worker to be 0 or more, got {arguments.gpus_per_worker}."
        )
    num_workers = arguments.workers
    if num_workers is None:
        if arguments.ray != LOCAL:
            raise ConfigurationError(
                "Expected the number of workers on the cluster. Give it with --workers."
            )
        num_workers = max(1, _num_processors() // arguments.cpus_per_worker)
    return Cluster(arguments.ray, num_workers, arguments.cpus_per_worker, arguments.gpus_per_worker)


def _shard_bytes(arguments: argparse.Namespace) -> int:
    megabytes: float = arguments.shard_megabytes
    if not 1 / MEGABYTE <= megabytes < math.inf:
        raise ConfigurationError(
            f"Expected --shard-megabytes to be more than 0, one byte at least, got {megabytes}."
        )
    return round(megabytes * MEGABYTE)


def _num_processors() -> int:
    # A container may have fewer than the machine.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _sentences(arguments: argparse.Namespace) -> Iterator[Sentence]:
    """Yields the sentences of the input, shard by shard."""
    for shard in cut_into_shards(find_input_files(arguments.input)):
        with TemporaryDirectory() as folder:
            yield from open_shard(shard, _input_options(arguments), Path(folder))


def _visible(location: Optional[str]) -> Optional[str]:
    """Returns an absolute path for one that another process would look for elsewhere."""
    if location is None or not os.path.exists(location):
        # A URL, or a name such as "published:original".
        return location
    return os.path.abspath(location)


def _output(arguments: argparse.Namespace) -> str:
    output: str = arguments.output
    output = output.rstrip("/") if _is_url(output) else os.path.abspath(output)
    if "?" in output:
        raise ConfigurationError(
            f"Expected an output without '?', which Ray takes for the end of a name, got "
            f"'{output}'. Choose another output, or rename its folder."
        )
    return output


def _is_url(location: str) -> bool:
    return "://" in location
