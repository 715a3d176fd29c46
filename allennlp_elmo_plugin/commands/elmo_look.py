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
from allennlp_elmo_plugin.commands.elmo_arguments import add_batching, warm_up_texts
from allennlp_elmo_plugin.commands.scoring_arguments import (
    add_language_model,
    add_model_name,
    language_model_files,
    language_model_options,
)
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.extraction.engine import device_of
from allennlp_elmo_plugin.extraction.inputs.formats import INPUT_FORMATS
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.extraction.output_paths import require_output_path, require_unread
from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.look.analyse import analyse
from allennlp_elmo_plugin.look.page import write_page
from allennlp_elmo_plugin.look.plane import PROJECTIONS
from allennlp_elmo_plugin.look.text import ShownText, first_sentences_of
from allennlp_elmo_plugin.scoring.language_model import (
    LanguageModel,
    MissingSoftmaxError,
    add_softmax,
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
        "and all contexts of a word on a plane. A biLM without a softmax will do; it has no "
        "surprisals and no substitutes."
    )
    epilog = EPILOG

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_model_name(parser)
        parser.add_argument(
            "input",
            metavar="INPUT",
            help="text in UTF-8: one sentence a line, its tokens separated by spaces, or a format "
            "of 'allennlp elmo'",
        )
        parser.add_argument("output", metavar="OUTPUT", help="HTML file to write")
        _add_text(parser.add_argument_group("text"))
        _add_page(parser.add_argument_group("page"))
        add_language_model(parser.add_argument_group("model"))
        add_batching(parser.add_argument_group("running"))

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        _require_same_state(arguments)
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


def _require_same_state(arguments: argparse.Namespace) -> None:
    if arguments.initial_state == "carry":
        raise ConfigurationError(
            "Got --initial-state carry, with which a sentence is read differently after other "
            "sentences, but the page compares contexts from all over the text. Choose warm or "
            "zero, with which a sentence has the same results wherever it stands."
        )


def _files_read(arguments: argparse.Namespace) -> List[Optional[str]]:
    return [*language_model_files(arguments), arguments.second, arguments.words]


def _text(arguments: argparse.Namespace) -> ShownText:
    if arguments.max_tokens_shown < 1 or arguments.neighbours < 1:
        raise ConfigurationError(
            "Expected --max-tokens-shown and --neighbours to be at least 1, got "
            f"{arguments.max_tokens_shown} and {arguments.neighbours}."
        )
    inputs = [arguments.input] + ([] if arguments.second is None else [arguments.second])
    periods, num_left_out = [], 0
    for location in inputs:
        source = _source(arguments, location)
        tokens = (sentence.tokens for sentence in source)
        period, num_more = first_sentences_of(tokens, arguments.max_tokens_shown // len(inputs))
        periods.append(period)
        num_left_out += num_more
    names = arguments.names or [Path(location).name for location in inputs]
    return ShownText(periods, names, num_left_out)


def _source(arguments: argparse.Namespace, location: str) -> SentenceFile:
    return SentenceFile(location, arguments.input_format, arguments.tokenize)


def _models(arguments: argparse.Namespace) -> Tuple[ElmoEncoder, Optional[LanguageModel]]:
    options = language_model_options(
        arguments, warm_up_texts(arguments, _source(arguments, arguments.input))
    )
    softmax = {name: options.pop(name) for name in ("softmax", "vocabulary", "device")}
    loaded = load_elmo(**options)
    try:
        language_model = add_softmax(loaded, arguments.model, **softmax)
    except MissingSoftmaxError:
        return loaded.encoder.to(device_of(arguments.cuda_device)), None
    return language_model.encoder, language_model


def _words(arguments: argparse.Namespace) -> Optional[List[str]]:
    if arguments.words is None:
        return None
    words = map(str.strip, read_lines(arguments.words, "the words that have planes"))
    return list(dict.fromkeys(filter(None, words)))
