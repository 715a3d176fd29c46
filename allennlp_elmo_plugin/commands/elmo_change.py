"""
`allennlp elmo-change`: measures how much the use of words differs between two corpora.
"""

import argparse
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

import numpy
from allennlp.commands.subcommand import Subcommand
from allennlp.common import logging as common_logging
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.commands.elmo_arguments import (
    STANDARD_INPUT,
    add_input,
    add_layers,
    add_model,
    add_running,
    extractor_options,
    result_settings,
    target_words,
    warm_up_texts,
)
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.output_paths import require_output_folder, require_unread
from allennlp_elmo_plugin.extraction.plot_files import require_plot
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.io.text_lines import without_compression_suffix
from allennlp_elmo_plugin.senses.clusters import CLUSTERINGS
from allennlp_elmo_plugin.senses.corpus_vectors import extract_occurrences
from allennlp_elmo_plugin.senses.measures import DISTANCES
from allennlp_elmo_plugin.senses.plot import Occurrences, plot_changes
from allennlp_elmo_plugin.senses.summary import NUM_PRINTED, listed_words, summarize_changes
from allennlp_elmo_plugin.senses.table import format_changes, require_table, write_changes
from allennlp_elmo_plugin.senses.vector_file import VectorFile, is_vector_file
from allennlp_elmo_plugin.senses.word_change import (
    MEASURES,
    SORT_BY,
    ChangeOptions,
    WordChange,
    common_words,
    measure_change,
)

__all__ = ["ElmoChange"]

EPILOG = """
examples:
  allennlp elmo-change old.txt new.txt change.tsv --targets words.txt --model elmo.zip
      a table of the words, from two texts with one tokenized sentence a line
  allennlp elmo-change old.txt new.txt change.tsv --targets words.txt --tokenize en --average
      the same from plain texts, with the mean of the layers
  allennlp elmo-change old.npz new.npz change.csv --plot change.svg --plot-word mouse
      a table and a plot, from vectors that 'allennlp elmo --targets' wrote

The page "Change of meaning" of the documentation says which measure suits what.
"""

CORPORA = ("first", "second")
SOURCES = "FIRST and SECOND"
KEPT_IN = "OUTPUT.vectors"

Vectors = Mapping[str, numpy.ndarray]


class _Options(NamedTuple):
    """The paths of a run, and the options of the measures."""

    output: Path
    plot: Optional[Path]
    folder: Path
    measures: ChangeOptions


@Subcommand.register("elmo-change")
class ElmoChange(ElmoCommand):
    """
    Measures how much the use of words differs between two corpora.

    Registered as a `Subcommand` with name "elmo-change".
    """

    description = (
        "Measure how much the use of target words differs between two corpora, such as texts of "
        "two periods: average pairwise distance, cosine of the mean vectors, and Jensen-Shannon "
        "divergence of clusters. OUTPUT is a table with a line for each word."
    )
    epilog = EPILOG

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        for name in CORPORA:
            parser.add_argument(
                name,
                metavar=name.upper(),
                help=f"the {name} corpus: a text in any format that 'allennlp elmo' reads, or an "
                ".npz that 'allennlp elmo --targets' wrote, which needs no model",
            )
        parser.add_argument(
            "output",
            metavar="OUTPUT",
            help="table to write: .tsv, .csv or .jsonl. The vectors of texts are kept in the "
            f"folder {KEPT_IN}",
        )
        _add_measures(parser.add_argument_group("words and measures"))
        _add_plot(parser.add_argument_group("plot"))
        add_model(parser.add_argument_group("model"), "FIRST, for both corpora")
        add_input(parser.add_argument_group("input"), SOURCES)
        vectors = parser.add_argument_group("vectors")
        add_layers(vectors, default="top")
        vectors.add_argument(
            "--dtype",
            choices=("float32", "float16"),
            default="float32",
            help="type of the kept vectors; float16 takes half the space (default: float32)",
        )
        add_running(parser.add_argument_group("running"), KEPT_IN)
        parser.set_defaults(pool=None, keep_sentence_boundaries=False)

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        common_logging.FILE_FRIENDLY_LOGGING = arguments.file_friendly_logging
        if arguments.layers is None:
            arguments.layers = "top"
        options = _checked_options(arguments)
        words = None if arguments.targets is None else target_words(arguments)
        first, second = corpora = _read_corpora(arguments, words, options)
        words = common_words(first, second) if words is None else list(dict.fromkeys(words))
        _require_known(words, corpora, arguments)
        changes = measure_change(first, second, words, options.measures, arguments.sort_by)
        write_changes(changes, options.output)
        if options.plot is not None:
            shown = _shown(arguments.plot_word, changes, corpora)
            plot_changes(changes, shown, options.plot, _names(arguments), options.measures.seed)
        print(format_changes(changes[:NUM_PRINTED]))
        print(
            summarize_changes(
                changes,
                options.output,
                arguments.sort_by,
                options.measures.min_occurrences,
                options.plot,
            )
        )

    @overrides
    def how_to_go_on(self, arguments: argparse.Namespace) -> str:
        is_begun = _vector_folder(Path(arguments.output)).is_dir()
        return "Run the same command with --resume to go on." if is_begun else ""


def _add_measures(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--targets",
        metavar="FILE",
        help="the words, one a line, each a token as it stands in the corpora. With two .npz "
        "files, all of their words by default",
    )
    group.add_argument(
        "--sort-by",
        choices=MEASURES,
        default=SORT_BY,
        help=f"measure that the table is sorted by (default: {SORT_BY})",
    )
    defaults = ChangeOptions()
    group.add_argument(
        "--min-occurrences",
        type=int,
        metavar="N",
        default=defaults.min_occurrences,
        help="occurrences that a word needs in each corpus. The measures of a rarer one are empty "
        f"(default: {defaults.min_occurrences})",
    )
    group.add_argument(
        "--distance",
        choices=tuple(DISTANCES),
        default=defaults.distance,
        help=f"distance of the average pairwise distance (default: {defaults.distance})",
    )
    group.add_argument(
        "--clustering",
        choices=tuple(CLUSTERINGS),
        default=defaults.clustering,
        help="affinity: affinity propagation, which finds the number of clusters itself; kmeans: "
        "k-means with the number, 2 to 10, that has the best silhouette "
        f"(default: {defaults.clustering})",
    )
    group.add_argument(
        "--max-occurrences",
        type=int,
        metavar="N",
        default=defaults.max_occurrences,
        help="occurrences of a word in each corpus that are clustered; of more, N are drawn. The "
        f"other measures use all (default: {defaults.max_occurrences:,})",
    )
    group.add_argument(
        "--seed",
        type=int,
        metavar="N",
        default=defaults.seed,
        help=f"seed of the draw and of the clusters (default: {defaults.seed})",
    )


def _add_plot(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--plot",
        metavar="FILE",
        help="also draw the measures, and the occurrences of words in a plane: .svg, .png or .pdf. "
        "Needs matplotlib",
    )
    group.add_argument(
        "--plot-word",
        action="append",
        metavar="WORD",
        help="word whose occurrences are drawn; may be given several times (default: the word that "
        "changed most)",
    )


def _checked_options(arguments: argparse.Namespace) -> _Options:
    """Returns the options after all checks that need no corpus."""
    output = Path(arguments.output)
    require_table(output)
    plot = None if arguments.plot is None else Path(arguments.plot)
    if plot is not None:
        require_plot(plot)
    elif arguments.plot_word:
        raise ConfigurationError("Got --plot-word without --plot. Give the file of the plot, too.")
    sources = [arguments.first, arguments.second]
    read = [*sources, arguments.targets, arguments.warm_up, arguments.model]
    read += [arguments.options_file, arguments.weight_file]
    require_unread(filter(None, [output, plot]), read)
    if STANDARD_INPUT in sources:
        raise ConfigurationError(
            "Expected two files to compare, got - for standard input. Write it to a file first."
        )
    texts = [source for source in sources if not is_vector_file(source)]
    if texts and arguments.targets is None:
        raise ConfigurationError(
            f"Expected --targets, a file of words to find in '{texts[0]}'. Only the words of .npz "
            "files are known without it."
        )
    folder = _vector_folder(output)
    if texts:
        require_output_folder(folder)
    measures = ChangeOptions(*(getattr(arguments, name) for name in ChangeOptions._fields))
    measures.check()
    return _Options(output, plot, folder, measures)


def _vector_folder(output: Path) -> Path:
    return output.with_name(output.name + ".vectors")


def _read_corpora(
    arguments: argparse.Namespace, words: Optional[List[str]], options: _Options
) -> List[Vectors]:
    """Returns the vectors of both corpora. Texts are run first, by one model."""
    paths = {name: getattr(arguments, name) for name in CORPORA}
    texts = {name: path for name, path in paths.items() if not is_vector_file(path)}
    # A missing file is an error before any text is run.
    found: Dict[str, Vectors] = {
        name: VectorFile(path) for name, path in paths.items() if name not in texts
    }
    if texts:
        paths = _extract(arguments, texts, words or [], options.folder)
        found.update((name, VectorFile(path)) for name, path in paths.items())
    return [found[name] for name in CORPORA]


def _extract(
    arguments: argparse.Namespace, texts: Dict[str, str], words: List[str], folder: Path
) -> Dict[str, Path]:
    """Writes the vectors of the words in each text, and returns their files."""
    outputs = {name: folder / f"{name}.npz" for name in texts}
    tasks = {name: TargetsTask(words, outputs[name], arguments.dtype) for name in texts}
    sources = {name: _source(arguments, path, folder) for name, path in texts.items()}
    # Both corpora start from the same state, so that their vectors can be compared.
    warm_up = warm_up_texts(arguments, next(iter(sources.values())))
    settings = result_settings(arguments, warm_up)
    options = extractor_options(arguments, warm_up)
    extractor = ElmoExtractor.load(**options, device=arguments.cuda_device)
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        is_new = extract_occurrences(source, extractor, tasks[name], arguments.resume, settings)
        verb = "Wrote" if is_new else "Kept"
        print(f"{verb} the vectors of '{source.name}' in {outputs[name]}")
    return outputs


def _source(arguments: argparse.Namespace, path: str, folder: Path) -> SentenceFile:
    return SentenceFile(
        path,
        input_format=arguments.input_format,
        language=arguments.tokenize,
        keys=arguments.keys,
        blank_lines=arguments.blank_lines,
        working_folder=folder,
    )


def _require_known(
    words: Sequence[str], corpora: Sequence[Vectors], arguments: argparse.Namespace
) -> None:
    for corpus, name in zip(corpora, CORPORA):
        path = getattr(arguments, name)
        if is_vector_file(path) and not any(word in corpus for word in words):
            raise ConfigurationError(
                f"Expected vectors of the targets in '{path}', but it has none of them. It has "
                f"those of {listed_words(list(corpus)) or 'no word'}."
            )
    for word in arguments.plot_word or []:
        if not any(word in corpus and len(corpus[word]) for corpus in corpora):
            raise ConfigurationError(
                f"Expected a word to plot that occurs, got '{word}'. The words are "
                f"{listed_words(list(words))}."
            )


def _shown(
    plot_words: Optional[Sequence[str]],
    changes: Sequence[WordChange],
    corpora: Sequence[Vectors],
) -> List[Occurrences]:
    """Returns the vectors of the words of `--plot-word`, or of the one that changed most."""
    measured = [change.word for change in changes if change.apd is not None]
    shown = []
    for word in dict.fromkeys(plot_words or measured[:1]):
        known = [corpus.get(word) for corpus in corpora]
        dim = next(each.shape[1] for each in known if each is not None and len(each))
        empty = numpy.empty((0, dim))
        shown.append(Occurrences(word, *(empty if each is None else each for each in known)))
    return shown


def _names(arguments: argparse.Namespace) -> List[str]:
    """Returns the names of both corpora in the plot."""
    paths = [getattr(arguments, name) for name in CORPORA]
    stems = [Path(without_compression_suffix(path)).stem for path in paths]
    return stems if stems[0] != stems[1] else paths
