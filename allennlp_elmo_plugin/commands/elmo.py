"""
`allennlp elmo`: writes the vectors of a text to a file.
"""

import argparse
import json
import shutil
import sys
from hashlib import blake2b
from pathlib import Path
from typing import List, Optional, Tuple

from allennlp.commands.subcommand import Subcommand
from allennlp.common import logging as common_logging
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import format_size
from overrides import overrides

from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.extraction.extractor import MIX, ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.formats import INPUT_FORMATS
from allennlp_elmo_plugin.extraction.inputs.sentence_file import BLANK_LINES, KEYS, SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.output_paths import require_output_path, require_unread
from allennlp_elmo_plugin.extraction.plan import ExtractionPlan
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.warm_up import first_sentences
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder
from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.kernels import PRECISIONS

__all__ = ["ElmoVectors"]

ORIGINAL = "published:original"
"""The default of AllenNLP's `Elmo`, with its mirrors."""
STANDARD_INPUT = "-"
WARM_UP_INPUT = "input"

EPILOG = """
examples:
  allennlp elmo sentences.txt vectors.hdf5 --model pretrained:small
      all layers of each token, from a text with one tokenized sentence a line
  allennlp elmo novel.txt vectors.npy --model elmo.zip --tokenize en --average --pool mean
      one vector for each sentence of a plain text
  allennlp elmo proteins.fasta out.h5 --model published:seqvec --average --pool mean --warm-up input
      one vector for each protein
  allennlp elmo corpus.txt uses.npz --model elmo.zip --top --targets words.txt
      the vectors of some words wherever they occur
  allennlp elmo corpus.txt vectors.hdf5 --model elmo.zip --resume
      go on after Ctrl-C, a kill or a full disk

The page "Vectors from the command line" of the documentation shows how to read each format.
"""


LAYERS = """
ELMo has several layers, most often three, and each gives a token a vector of
dim numbers. Layer 0 knows the word alone; those above it know its sentence.
""".strip()


@Subcommand.register("elmo")
class ElmoVectors(ElmoCommand):
    """
    Writes the vectors of a text to a file.

    It has the flags of AllenNLP 0.9's command and writes the same HDF5 file.

    Registered as a `Subcommand` with name "elmo".
    """

    description = (
        "Write ELMo's vectors of a text to a file, by default all layers of each token. The ending "
        "of OUTPUT chooses its format: .hdf5 or .h5 (as AllenNLP 0.9), .npz, .npy (with ids in a "
        ".json beside it), .parquet or .jsonl."
    )
    epilog = EPILOG

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "input",
            metavar="INPUT",
            help="text in UTF-8: one sentence a line, its tokens separated by spaces (for a text "
            "that is not tokenized, see --tokenize). A file that ends in .jsonl, .conllu or .fasta "
            "has that format, and .gz, .bz2 or .xz may follow. - is standard input",
        )
        parser.add_argument(
            "output", metavar="OUTPUT", help="file to write; it appears when it is complete"
        )
        _add_model(parser.add_argument_group("model"))
        _add_input(parser.add_argument_group("input"))
        written = parser.add_argument_group("what is written", LAYERS)
        _add_layers(written)
        _add_results(written)
        _add_running(parser.add_argument_group("running"))

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        common_logging.FILE_FRIENDLY_LOGGING = arguments.file_friendly_logging
        if arguments.layers is None:
            arguments.layers = "all"
        output = Path(arguments.output)
        require_output_path(output)
        folder = WorkingFolder(output)
        if not arguments.resume:
            folder.require_unused()
        with folder.discarded_unless_begun():
            _extract(arguments, folder)

    @overrides
    def how_to_go_on(self, arguments: argparse.Namespace) -> str:
        is_begun = WorkingFolder(Path(arguments.output)).is_begun
        return "Run the same command with --resume to go on." if is_begun else ""


def _add_model(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--model",
        help="an ELMo: path or URL of a folder, zip or tar with its options and weights, such as a "
        "TensorFlow checkpoint or a model of ELMoForManyLangs; published:NAME, one that is "
        "downloaded ('allennlp elmo-models' lists them); pretrained:small, a small one of English "
        "that comes with the plugin; or a model.tar.gz that AllenNLP trained on top of one, or its "
        "folder (default: published:original)",
    )
    group.add_argument(
        "--options-file",
        metavar="FILE",
        help="options of an ELMo, with --weight-file in place of --model",
    )
    group.add_argument(
        "--weight-file", metavar="FILE", help="weights of an ELMo, with --options-file"
    )
    group.add_argument(
        "--module", metavar="NAME", help="name of the ELMo in a model.tar.gz that has several"
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="precision of the weights; bfloat16 and int8 are faster on processors with AVX-512, "
        "and their vectors have a cosine of 0.9999 to those of float32 (default: float32, or that "
        "of the model.tar.gz)",
    )
    group.add_argument(
        "--initial-state",
        choices=("warm", "zero", "carry"),
        default="warm",
        help="state that ELMo is in before it reads a sentence: warm, as after some other text; "
        "zero, as after none; or carry, as after the sentences before, which is how AllenNLP 0.9 "
        "did it. With warm and zero a sentence has the same vectors wherever it stands (default: "
        "warm)",
    )
    group.add_argument(
        "--warm-up",
        metavar="FILE",
        help="file of some tokenized sentences that ELMo reads to be in the state warm, or the "
        "word input for the first sentences of INPUT. Give one of them if INPUT is not English "
        "(default: 16 English sentences)",
    )


def _add_input(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--input-format",
        choices=INPUT_FORMATS,
        help="format of INPUT (default: by its ending, otherwise lines)",
    )
    group.add_argument(
        "--tokenize",
        metavar="LANGUAGE",
        help="INPUT is plain text: split it into sentences and tokens by spaCy's rules for a "
        "language, such as en or de; xx suits many languages",
    )
    group.add_argument(
        "--blank-lines",
        choices=BLANK_LINES,
        default="error",
        help="what a blank line or another sentence without tokens is: an error, or a sentence "
        "with an empty array (default: error)",
    )
    group.add_argument(
        "--keys",
        choices=KEYS,
        default="ids",
        help="names of the sentences' arrays in OUTPUT: ids, those in INPUT, or numbers if it has "
        "none; numbers, from 0; or sentences, their texts (default: ids)",
    )
    group.add_argument(
        "--use-sentence-keys",
        dest="keys",
        action="store_const",
        const="sentences",
        help="the same as --keys sentences",
    )


def _add_layers(group: "argparse._ArgumentGroup") -> None:
    layers = group.add_mutually_exclusive_group()
    choices = {
        "all": "all layers: arrays of (layers, tokens, dim) (default)",
        "top": "the last layer: arrays of (tokens, dim)",
        "average": "the mean of the layers: arrays of (tokens, dim)",
    }
    for name, text in choices.items():
        layers.add_argument(f"--{name}", dest="layers", action="store_const", const=name, help=text)
    layers.add_argument(
        "--layer",
        dest="layers",
        type=int,
        metavar="K",
        help="layer K, from 0: arrays of (tokens, dim)",
    )
    layers.add_argument(
        "--mix",
        dest="layers",
        type=_mix,
        metavar="K",
        nargs="?",
        const=MIX,
        help="the mix of the layers that a model.tar.gz has learnt: arrays of (tokens, dim); mix "
        "K, from 0, if it has several",
    )


def _add_results(group: "argparse._ArgumentGroup") -> None:
    kinds = group.add_mutually_exclusive_group()
    kinds.add_argument(
        "--pool",
        choices=("mean",),
        help="one vector for each sentence, the mean of the vectors of its tokens",
    )
    kinds.add_argument(
        "--targets",
        metavar="FILE",
        help="only the vectors of the words in FILE, one word a line, wherever they occur. OUTPUT "
        "is an .npz with an array of (occurrences, dim) for each word, and a .json beside it says "
        "where each occurrence is",
    )
    kinds.add_argument(
        "--types",
        type=int,
        metavar="N",
        help="the mean vector of each of the N most frequent words, normalized. Choose one of the "
        "layers, their mean or a mix. OUTPUT is in word2vec's format: .txt, .vec or .bin",
    )
    group.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="type of the numbers; float16 takes half the space (default: float32)",
    )
    group.add_argument(
        "--keep-sentence-boundaries",
        action="store_true",
        help="also write the vectors of <S> and </S>, which ELMo puts around each sentence",
    )
    group.add_argument(
        "--forget-sentences",
        action="store_true",
        help="leave the dataset sentence_to_index, a table from sentences to the names of their "
        "arrays, out of an HDF5 file",
    )


def _add_running(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        default=2048,
        help="largest size of a batch, its sentences times the tokens of the longest. A smaller "
        "one takes less memory (default: 2048)",
    )
    group.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=64,
        help="sentences of a batch with --initial-state carry, and only there (default: 64)",
    )
    group.add_argument(
        "--cuda-device",
        type=int,
        metavar="N",
        default=-1,
        help="number of a GPU, from 0; -1 is the CPU (default: -1)",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run that was stopped, whose work is kept in OUTPUT.partial, or begin "
        "if there is none. The result is that of a run that was not stopped",
    )
    group.add_argument(
        "--file-friendly-logging",
        action="store_true",
        help="write the progress bar on new lines, for a log file",
    )
    # AllenNLP 0.9 had it too, and never read it.
    group.add_argument("--vocab-path", help=argparse.SUPPRESS)


def _mix(number: str) -> str:
    # argparse passes its own constant, too.
    if number == MIX:
        return MIX
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(
            f"expected the number of a mix, got '{number}'; a path cannot follow it"
        )
    return f"{MIX}_{int(number)}"


def _extract(arguments: argparse.Namespace, folder: WorkingFolder) -> None:
    source = _source(arguments, folder)
    task = _task(arguments, source)
    require_unread(task.output_class.paths(task.output), _paths_read(arguments))
    warm_up = _warm_up(arguments, source)
    extractor = _extractor(arguments, warm_up)
    settings = {
        "layers": arguments.layers,
        "initial state": arguments.initial_state,
        "warm-up": warm_up and _digest(warm_up),
        "module": arguments.module,
    }
    job = ExtractionJob(source, extractor, task, arguments.resume, settings)
    plan = job.plan()
    _print_plan(plan, task)
    summary = job.run(plan)
    print(
        f"Wrote {counted(summary.num_sentences, 'sentence')} to "
        f"{' and '.join(map(str, summary.paths))}: {counted(summary.num_tokens, 'token')} in "
        f"{summary.seconds:.1f} s, "
        f"{counted(round(summary.num_tokens / summary.seconds), 'token')} a second"
    )


def _print_plan(plan: ExtractionPlan, task: ExtractionTask) -> None:
    free = shutil.disk_usage(task.output.absolute().parent).free
    survey = plan.survey
    print(
        f"Found {counted(survey.num_sentences, 'sentence')} with "
        f"{counted(survey.num_tokens, 'token')}, the longest with {survey.longest:,}."
        f"{_part(plan)}\n"
        f"'{task.output}' will take about {format_size(plan.num_bytes)}; {format_size(free)} are "
        "free."
    )


def _part(plan: ExtractionPlan) -> str:
    num_run = plan.shape.num_sentences
    if num_run == plan.survey.num_sentences:
        return ""
    return f" {num_run:,} of them {'has' if num_run == 1 else 'have'} a target."


def _source(arguments: argparse.Namespace, folder: WorkingFolder) -> SentenceFile:
    options = {
        "input_format": arguments.input_format,
        "language": arguments.tokenize,
        "keys": arguments.keys,
        "blank_lines": arguments.blank_lines,
        "working_folder": Path(arguments.output).parent,
    }
    if arguments.input != STANDARD_INPUT:
        return SentenceFile(arguments.input, **options)
    # The input is read more than once. A run that resumes has its copy; a copy without begun work
    # is what an earlier run has left that failed before it began.
    if not (folder.is_begun and folder.input_path.exists()):
        folder.path.mkdir(exist_ok=True)
        with write_atomically(folder.input_path) as partial, open(partial, "wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    return SentenceFile(folder.input_path, source_name="standard input", **options)


def _paths_read(arguments: argparse.Namespace) -> List[Optional[str]]:
    return [
        arguments.input,
        arguments.model,
        arguments.options_file,
        arguments.weight_file,
        arguments.warm_up,
        arguments.targets,
    ]


def _warm_up(arguments: argparse.Namespace, source: SentenceFile) -> Optional[List[str]]:
    if arguments.warm_up is None:
        return None
    if arguments.warm_up == WARM_UP_INPUT:
        return first_sentences(source)
    return list(read_lines(arguments.warm_up, "a warm-up text"))


def _digest(texts: List[str]) -> str:
    return blake2b(json.dumps(texts).encode(), digest_size=16).hexdigest()


def _extractor(arguments: argparse.Namespace, warm_up: Optional[List[str]]) -> ElmoExtractor:
    return ElmoExtractor.load(
        *_locations(arguments),
        layers=arguments.layers,
        pool=arguments.pool,
        keep_sentence_boundaries=arguments.keep_sentence_boundaries,
        max_tokens=arguments.max_tokens,
        batch_size=arguments.batch_size,
        precision=arguments.precision,
        initial_state=arguments.initial_state,
        warm_up=warm_up,
        module=arguments.module,
        device=arguments.cuda_device,
    )


def _locations(arguments: argparse.Namespace) -> Tuple[str, Optional[str]]:
    files = (arguments.options_file, arguments.weight_file)
    if arguments.model is None:
        options_file, weight_file = files
        return options_file or ORIGINAL, weight_file or ORIGINAL
    if any(files):
        raise ConfigurationError(
            "Got --model and --options-file or --weight-file. Give the one or the others."
        )
    return arguments.model, None


def _task(arguments: argparse.Namespace, source: SentenceFile) -> ExtractionTask:
    output = Path(arguments.output)
    if arguments.targets is not None:
        words = map(str.strip, read_lines(arguments.targets, "the target words"))
        return TargetsTask(list(filter(None, words)), output, arguments.dtype)
    if arguments.types is not None:
        if arguments.dtype != "float32":
            raise ConfigurationError(
                f"Got --types and --dtype {arguments.dtype}, but word2vec's formats hold float32. "
                "Leave one of them out."
            )
        return WordTypesTask(arguments.types, output)
    # Where keys say what the sentence is, AllenNLP 0.9 wrote no table either.
    has_numbers = arguments.keys != "sentences" and not source.has_ids
    has_sentence_index = has_numbers and not arguments.forget_sentences
    return ExtractionTask(output, arguments.dtype, has_sentence_index)
