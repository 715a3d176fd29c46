"""
The arguments of all commands that run a biLM with its softmax.
"""

import argparse
from typing import Any, Dict, List, Optional

from allennlp_elmo_plugin.commands.elmo_arguments import add_loading

__all__ = [
    "add_files",
    "add_language_model",
    "add_model_name",
    "language_model_files",
    "language_model_options",
]


def add_model_name(parser: argparse.ArgumentParser) -> None:
    """
    Adds the argument MODEL.

    # Parameters

    parser : `argparse.ArgumentParser`
        Parser of the command.
    """
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a biLM with its softmax and vocabulary: pretrained:small; the model.tar.gz of a "
        "bidirectional_lm or its folder; path or URL of a folder, zip or tar that 'allennlp "
        "elmo-export' has written; or any ELMo of 'allennlp elmo --model', with --softmax and "
        "--vocabulary",
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """
    Adds the positional arguments of a command that runs a language model over a text.

    # Parameters

    parser : `argparse.ArgumentParser`
        Parser of the command.
    """
    add_model_name(parser)
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="text in UTF-8: one sentence a line, its tokens separated by spaces, or another "
        "format of 'allennlp elmo'. - is standard input",
    )
    parser.add_argument(
        "output", metavar="OUTPUT", help="file to write; it appears when it is complete"
    )


def add_language_model(group: "argparse._ArgumentGroup") -> None:
    """
    Adds the arguments that say where the rest of the model is, and how it is loaded.

    # Parameters

    group : `argparse._ArgumentGroup`
        Group of the parser.
    """
    group.add_argument(
        "--weight-file", metavar="FILE", help="weights, if MODEL is a file of options"
    )
    group.add_argument(
        "--softmax",
        metavar="FILE",
        help="softmax: an HDF5 file, or the index of a TensorFlow checkpoint (default: the file "
        "*softmax*.hdf5 beside the weights, or the checkpoint that has them)",
    )
    group.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="words of the softmax, one a line (default: the file vocab*.txt beside the weights)",
    )
    add_loading(group)


def language_model_options(
    arguments: argparse.Namespace, warm_up: Optional[List[str]]
) -> Dict[str, Any]:
    """
    Returns the arguments of `load_language_model`.

    # Parameters

    arguments : `argparse.Namespace`
        The parsed arguments, with those of `add_running`.
    warm_up : `Optional[List[str]]`
        Result of `warm_up_texts`.

    # Returns

    `Dict[str, Any]`
    """
    return {
        "model": arguments.model,
        "weight_file": arguments.weight_file,
        "softmax": arguments.softmax,
        "vocabulary": arguments.vocabulary,
        "precision": arguments.precision,
        "initial_state": arguments.initial_state,
        "warm_up": warm_up,
        "module": arguments.module,
        "device": arguments.cuda_device,
    }


def language_model_files(arguments: argparse.Namespace) -> List[Optional[str]]:
    """
    Returns the paths, URLs and names of all that is read besides the files of a command's own.

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
        arguments.weight_file,
        arguments.softmax,
        arguments.vocabulary,
        arguments.warm_up,
    ]
