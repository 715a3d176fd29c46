"""
The arguments of `allennlp elmo`, and the objects that they stand for.
"""

import argparse
import json
from hashlib import blake2b
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.extractor import MIX
from allennlp_elmo_plugin.extraction.inputs.formats import INPUT_FORMATS
from allennlp_elmo_plugin.extraction.inputs.sentence_file import BLANK_LINES, KEYS
from allennlp_elmo_plugin.extraction.output_paths import require_output_folder
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.extraction.warm_up import first_sentences
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.kernels import PRECISIONS

__all__ = [
    "LAYERS",
    "STANDARD_INPUT",
    "add_batching",
    "add_input",
    "add_layers",
    "add_loading",
    "add_model",
    "add_results",
    "add_running",
    "extractor_options",
    "files_read",
    "require_float32",
    "require_projectable",
    "result_settings",
    "state_settings",
    "target_words",
    "warm_up_texts",
]

ORIGINAL = "published:original"
"""The default of AllenNLP's `Elmo`, with its mirrors."""
STANDARD_INPUT = "-"
WARM_UP_INPUT = "input"

LAYERS = """
ELMo has several layers, most often three, and each gives a token a vector of
dim numbers. Layer 0 knows the word alone; those above it know its sentence.
""".strip()


def add_model(group: "argparse._ArgumentGroup", source: str = "INPUT") -> None:
    """
    Adds the arguments that say which ELMo is run.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    source : `str`, optional (default = `"INPUT"`)
        Name of the input in the help.
    """
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
    add_loading(group, source)


def add_loading(group: "argparse._ArgumentGroup", source: str = "INPUT") -> None:
    """
    Adds the arguments that say how the ELMo is loaded, whatever names its files.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    source : `str`, optional (default = `"INPUT"`)
        Name of the input in the help.
    """
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
        "did it. With warm and zero a sentence has the same results wherever it stands (default: "
        "warm)",
    )
    group.add_argument(
        "--warm-up",
        metavar="FILE",
        help="file of some tokenized sentences that ELMo reads to be in the state warm, or the "
        f"word input for the first sentences of {source}. Give one of them if the text is not "
        "English (default: 16 English sentences)",
    )


def add_input(group: "argparse._ArgumentGroup", source: str = "INPUT") -> None:
    """
    Adds the arguments that say how the input is read.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    source : `str`, optional (default = `"INPUT"`)
        Name of the input in the help.
    """
    group.add_argument(
        "--input-format",
        choices=INPUT_FORMATS,
        help=f"format of {source} (default: by its ending, otherwise lines)",
    )
    group.add_argument(
        "--tokenize",
        metavar="LANGUAGE",
        help=f"{source} is plain text: split it into sentences and tokens by spaCy's rules for a "
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
        help=f"names of the sentences in what is written: ids, those in {source}, or numbers if "
        "there are none; numbers, from 0; or sentences, their texts (default: ids)",
    )
    group.add_argument(
        "--use-sentence-keys",
        dest="keys",
        action="store_const",
        const="sentences",
        help="the same as --keys sentences",
    )


def add_layers(group: "argparse._ArgumentGroup", default: str = "all") -> None:
    """
    Adds the arguments that say which layers are written.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    default : `str`, optional (default = `"all"`)
        The layers that the help calls the default. With another one than `"all"`, a token always
        has one vector, and there is no `--all`.
    """
    layers = group.add_mutually_exclusive_group()
    choices = {
        "all": "all layers: arrays of (layers, tokens, dim)",
        "top": "the last layer: arrays of (tokens, dim)",
        "average": "the mean of the layers: arrays of (tokens, dim)",
    }
    if default != "all":
        del choices["all"]
    choices[default] += " (default)"
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


def add_results(group: "argparse._ArgumentGroup") -> None:
    """
    Adds the arguments that say what is written of them.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    """
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
        "--projector",
        metavar="FOLDER",
        help="with --types or --targets: also write the vectors to FOLDER for TensorBoard's "
        "embedding projector, 10,000 points at most",
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


def add_batching(group: "argparse._ArgumentGroup") -> None:
    """
    Adds the arguments that say where batches run, and how large they are.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    """
    group.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        default=2048,
        help="largest size of a batch, its sentences times the tokens of the longest. A smaller "
        "one takes less memory (default: 2048)",
    )
    group.add_argument(
        "--cuda-device",
        type=int,
        metavar="N",
        default=-1,
        help="number of a GPU, from 0; -1 is the CPU (default: -1)",
    )


def add_running(group: "argparse._ArgumentGroup", kept_in: str = "OUTPUT.partial") -> None:
    """
    Adds the arguments that say how the command runs.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    kept_in : `str`, optional (default = `"OUTPUT.partial"`)
        Place of unfinished work in the help.
    """
    add_batching(group)
    group.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=64,
        help="sentences of a batch with --initial-state carry, and only there (default: 64)",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help=f"go on with a run that was stopped, whose work is kept in {kept_in}, or begin "
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


def target_words(arguments: argparse.Namespace) -> List[str]:
    """
    Reads the file of `--targets`.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.

    # Returns

    `List[str]`
        The words.
    """
    words = map(str.strip, read_lines(arguments.targets, "the target words"))
    return list(filter(None, words))


def require_float32(arguments: argparse.Namespace) -> None:
    """
    Checks that `--types` comes without another type of numbers.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.

    # Raises

    `ConfigurationError`
        If it does not.
    """
    if arguments.dtype != "float32":
        raise ConfigurationError(
            f"Got --types and --dtype {arguments.dtype}, but word2vec's formats hold float32. "
            "Leave one of them out."
        )


def require_projectable(arguments: argparse.Namespace) -> None:
    """
    Checks that `--projector` has a folder to write to, and comes with `--types` or `--targets`.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.

    # Raises

    `ConfigurationError`
        If it does not.
    """
    if arguments.projector is None:
        return
    if arguments.types is None and arguments.targets is None:
        raise ConfigurationError(
            "Got --projector without words to show. Give --types N for the most frequent words, or "
            "--targets FILE for all occurrences of some words."
        )
    if arguments.ray is not None:
        raise ConfigurationError(
            "Got --projector and --ray, but a projector shows no more than one process can make. "
            "Leave one of them out."
        )
    require_output_folder(Path(arguments.projector))


def warm_up_texts(
    arguments: argparse.Namespace, sentences: Iterable[Sentence]
) -> Optional[List[str]]:
    """
    Reads the text of `--warm-up`.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.
    sentences : `Iterable[Sentence]`
        The sentences of the input.

    # Returns

    `Optional[List[str]]`
        Sentences whose tokens are separated by spaces, or `None` for the plugin's own text.
    """
    if arguments.warm_up is None:
        return None
    if arguments.warm_up == WARM_UP_INPUT:
        return first_sentences(sentences)
    return list(read_lines(arguments.warm_up, "a warm-up text"))


def extractor_options(
    arguments: argparse.Namespace, warm_up: Optional[List[str]]
) -> Dict[str, Any]:
    """
    Returns the arguments of `ElmoExtractor.load`, but for the device.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.
    warm_up : `Optional[List[str]]`
        Result of `warm_up_texts`.

    # Returns

    `Dict[str, Any]`

    # Raises

    `ConfigurationError`
        If there are two models.
    """
    model, weight_file = _locations(arguments)
    return {
        "model": model,
        "weight_file": weight_file,
        "layers": arguments.layers,
        "pool": arguments.pool,
        "keep_sentence_boundaries": arguments.keep_sentence_boundaries,
        "max_tokens": arguments.max_tokens,
        "batch_size": arguments.batch_size,
        "precision": arguments.precision,
        "initial_state": arguments.initial_state,
        "warm_up": warm_up,
        "module": arguments.module,
    }


def result_settings(arguments: argparse.Namespace, warm_up: Optional[List[str]]) -> Dict[str, Any]:
    """
    Returns what vectors depend on besides the input, the weights and the task.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.
    warm_up : `Optional[List[str]]`
        Result of `warm_up_texts`.

    # Returns

    `Dict[str, Any]`
        Values of JSON by their names.
    """
    return {"layers": arguments.layers, **state_settings(arguments, warm_up)}


def state_settings(arguments: argparse.Namespace, warm_up: Optional[List[str]]) -> Dict[str, Any]:
    """
    Returns what results of any kind depend on besides the input, the weights and the task.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.
    warm_up : `Optional[List[str]]`
        Result of `warm_up_texts`.

    # Returns

    `Dict[str, Any]`
        Values of JSON by their names.
    """
    return {
        "initial state": arguments.initial_state,
        "warm-up": warm_up and blake2b(json.dumps(warm_up).encode(), digest_size=16).hexdigest(),
        "module": arguments.module,
    }


def files_read(arguments: argparse.Namespace) -> List[Optional[str]]:
    """
    Returns the paths, URLs and names of all that is read.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments.

    # Returns

    `List[Optional[str]]`
        `None` stands for what was left out.
    """
    return [
        arguments.input,
        arguments.model,
        arguments.options_file,
        arguments.weight_file,
        arguments.warm_up,
        arguments.targets,
    ]


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
