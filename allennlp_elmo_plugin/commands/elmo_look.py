"""
`allennlp elmo-look`: writes a page that shows what a biLM makes of a text.
"""

import argparse
from pathlib import Path
from typing import List, Optional, Tuple

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import format_size
from overrides import overrides

from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.extraction.engine import device_of
from allennlp_elmo_plugin.extraction.inputs.formats import INPUT_FORMATS
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.extraction.output_paths import require_output_path, require_unread
from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.kernels import PRECISIONS
from allennlp_elmo_plugin.look.analyse import analyse
from allennlp_elmo_plugin.look.page import write_page
from allennlp_elmo_plugin.look.plane import PROJECTIONS
from allennlp_elmo_plugin.look.text import ShownText, first_sentences_of
from allennlp_elmo_plugin.scoring.language_model import (
    LanguageModel,
    MissingSoftmaxError,
    load_language_model,
)

__all__ = ["ElmoLook"]

NO_PLANE = "none"

EPILOG = """
examples:
  allennlp elmo-look pretrained:small sentences.txt page.html
      surprisals, substitutes, neighbours and planes of a text with one tokenized sentence a line
  allennlp elmo-look elmo.zip 1850.txt page.html --second 1950.txt --names 1850 1950
      two periods, which the planes show in two colours
  allennlp elmo-look elmo.zip novel.txt page.html --tokenize en --plane umap --words words.txt
      a plain text, and planes by UMAP for some words

The page "A page to look at" of the documentation shows one.
"""


@Subcommand.register("elmo-look")
class ElmoLook(ElmoCommand):
    """
    Writes a page that shows what a biLM makes of a text.

    Registered as a `Subcommand` with name "elmo-look".
    """

    description = (
        "Write one HTML file, which opens offline, of a text and what a biLM makes of it: the "
        "surprisal of each token, its nearest contexts and words in each layer, its substitutes, "
        "and all contexts of a word on a plane."
    )
    epilog = EPILOG

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "model",
            metavar="MODEL",
            help="an ELMo, as for 'allennlp elmo --model', such as pretrained:small or the "
            "model.tar.gz of a bidirectional_lm. One without a softmax has no surprisals and no "
            "substitutes",
        )
        parser.add_argument(
            "input",
            metavar="INPUT",
            help="text in UTF-8: one sentence a line, its tokens separated by spaces, or a format "
            "of 'allennlp elmo'",
        )
        parser.add_argument("output", metavar="OUTPUT", help="HTML file to write")
        _add_text(parser.add_argument_group("text"))
        _add_page(parser.add_argument_group("page"))
        _add_model(parser.add_argument_group("model"))

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        output = Path(arguments.output)
        require_output_path(output)
        require_unread([output], _files_read(arguments))
        text = _text(arguments)
        encoder, language_model = _models(arguments)
        analysis = analyse(
            text,
            encoder,
            language_model,
            # A path would tell where the page was made.
            Path(arguments.model).name,
            arguments.neighbours,
            None if arguments.plane == NO_PLANE else arguments.plane,
            _words(arguments),
            arguments.max_tokens,
        )
        write_page(analysis, output)
        if language_model is None:
            print(f"'{arguments.model}' has no softmax, so there are no surprisals or substitutes.")
        if text.num_left_out:
            print(f"Left out the last {counted(text.num_left_out, 'sentence')} of the text.")
        print(
            f"Wrote {counted(len(text.sentences), 'sentence')} with "
            f"{counted(len(text.tokens), 'token')} and {counted(len(analysis.planes), 'plane')} "
            f"to {output}: {format_size(output.stat().st_size)}"
        )


def _add_text(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--second", metavar="INPUT2", help="text of a second period, shown after the first"
    )
    group.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="name of the text, or of both periods (default: the names of the files)",
    )
    group.add_argument(
        "--input-format",
        choices=INPUT_FORMATS,
        help="format of the texts (default: by their endings, otherwise lines)",
    )
    group.add_argument(
        "--tokenize",
        metavar="LANGUAGE",
        help="the texts are plain: split them into sentences and tokens by spaCy's rules for a "
        "language, such as en or de; xx suits many languages",
    )
    group.add_argument(
        "--max-tokens-shown",
        type=int,
        metavar="N",
        default=5000,
        help="tokens on the page, at most; two periods have half of them each. The first sentences "
        "of a longer text are shown, and neighbours are found among them (default: 5000)",
    )


def _add_page(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--neighbours",
        type=int,
        metavar="N",
        default=10,
        help="nearest contexts, nearest words and substitutes of each token (default: 10)",
    )
    group.add_argument(
        "--plane",
        choices=(*PROJECTIONS, NO_PLANE),
        default=PROJECTIONS[0],
        help="projection of a word's contexts on a plane: pca, for words with at least 3 contexts; "
        "umap, for those with at least 10, which needs the package umap-learn; or none, which "
        "needs no Bokeh (default: pca)",
    )
    group.add_argument(
        "--words",
        metavar="FILE",
        help="file of the words that have planes, one a line (default: all words that occur often "
        "enough)",
    )


def _add_model(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--weight-file",
        metavar="FILE",
        help="weights of the ELMo, if MODEL is its options file",
    )
    group.add_argument(
        "--softmax", metavar="FILE", help="weights of the softmax (default: beside the model's)"
    )
    group.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="words of the softmax, one a line (default: beside the weights of the model)",
    )
    group.add_argument(
        "--module", metavar="NAME", help="name of the ELMo in a model.tar.gz that has several"
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="precision of the weights (default: float32, or that of the model.tar.gz)",
    )
    group.add_argument(
        "--initial-state",
        choices=("warm", "zero"),
        default="warm",
        help="state that ELMo is in before it reads a sentence (default: warm)",
    )
    group.add_argument(
        "--warm-up",
        metavar="FILE",
        help="file of some tokenized sentences that ELMo reads to be in the state warm. Give one "
        "if the text is not English (default: 16 English sentences)",
    )
    group.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        default=2048,
        help="largest size of a batch. A smaller one takes less memory (default: 2048)",
    )
    group.add_argument(
        "--cuda-device",
        type=int,
        metavar="N",
        default=-1,
        help="number of a GPU, from 0; -1 is the CPU (default: -1)",
    )


def _files_read(arguments: argparse.Namespace) -> List[Optional[str]]:
    names = ("input", "second", "model", "weight_file", "softmax", "vocabulary", "words", "warm_up")
    return [getattr(arguments, name) for name in names]


def _text(arguments: argparse.Namespace) -> ShownText:
    if arguments.max_tokens_shown < 1 or arguments.neighbours < 1:
        raise ConfigurationError(
            "Expected --max-tokens-shown and --neighbours to be at least 1, got "
            f"{arguments.max_tokens_shown} and {arguments.neighbours}."
        )
    inputs = [arguments.input] + ([] if arguments.second is None else [arguments.second])
    periods, num_left_out = [], 0
    for location in inputs:
        source = SentenceFile(location, arguments.input_format, arguments.tokenize)
        tokens = (sentence.tokens for sentence in source)
        period, num_more = first_sentences_of(tokens, arguments.max_tokens_shown // len(inputs))
        periods.append(period)
        num_left_out += num_more
    names = arguments.names or [Path(location).name for location in inputs]
    return ShownText(periods, names, num_left_out)


def _models(arguments: argparse.Namespace) -> Tuple[ElmoEncoder, Optional[LanguageModel]]:
    warm_up = None
    if arguments.warm_up is not None:
        warm_up = list(read_lines(arguments.warm_up, "a warm-up text"))
    options = {
        "weight_file": arguments.weight_file,
        "precision": arguments.precision,
        "initial_state": arguments.initial_state,
        "warm_up": warm_up,
        "module": arguments.module,
    }
    device = device_of(arguments.cuda_device)
    softmax = {"softmax": arguments.softmax, "vocabulary": arguments.vocabulary}
    try:
        loaded = load_language_model(arguments.model, device=device, **softmax, **options)
        return loaded.encoder, loaded
    except MissingSoftmaxError:
        return load_elmo(arguments.model, **options).encoder.to(device), None


def _words(arguments: argparse.Namespace) -> Optional[List[str]]:
    if arguments.words is None:
        return None
    words = map(str.strip, read_lines(arguments.words, "the words that have planes"))
    return list(dict.fromkeys(filter(None, words)))
