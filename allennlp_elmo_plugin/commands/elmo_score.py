"""
`allennlp elmo-score`: writes the probabilities that a biLM gives to the tokens of a text.
"""

import argparse
from pathlib import Path
from typing import Any, Dict

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.commands.elmo_arguments import (
    add_input,
    add_running,
    state_settings,
    warm_up_texts,
)
from allennlp_elmo_plugin.commands.reports import print_plan, print_written
from allennlp_elmo_plugin.commands.resumable_command import ResumableCommand
from allennlp_elmo_plugin.commands.scoring_arguments import (
    add_files,
    add_language_model,
    language_model_files,
    language_model_options,
)
from allennlp_elmo_plugin.commands.sentence_source import input_location, sentence_source
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.output_paths import require_unread
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder
from allennlp_elmo_plugin.scoring.language_model import load_language_model
from allennlp_elmo_plugin.scoring.outputs.base import TOTALS
from allennlp_elmo_plugin.scoring.pairs.accuracy import Accuracy
from allennlp_elmo_plugin.scoring.pairs.outputs import ACCURACY
from allennlp_elmo_plugin.scoring.pairs.pair_file import PairFile
from allennlp_elmo_plugin.scoring.pairs.preference import NORMALIZATIONS, PREFER_BY, Preference
from allennlp_elmo_plugin.scoring.pairs.task import PairsTask
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.style import UNITS, ScoreStyle
from allennlp_elmo_plugin.scoring.task import ScoringTask
from allennlp_elmo_plugin.scoring.totals import ScoreTotals

__all__ = ["ElmoScore"]

COUNT, LEAVE_OUT = "count", "leave-out"

EPILOG = """
examples:
  allennlp elmo-score pretrained:small sentences.txt scores.tsv
      a table with a row for each token, from a text with one tokenized sentence a line
  allennlp elmo-score model.tar.gz novel.txt scores.jsonl --tokenize en
      an object in JSON for each sentence of a plain text, with its perplexities
  allennlp elmo-score elmo.zip stimuli.txt surprisals.tsv --surprisal bits
      surprisals, for example for reading times
  allennlp elmo-score elmo.zip blimp.jsonl pairs.tsv --pairs --tokenize en
      the sentence of each minimal pair that is preferred, and the accuracy by groups
  allennlp elmo-score pretrained:small sentences.txt scores.tsv --resume
      go on after Ctrl-C, a kill or a full disk

The page "Probabilities of a text" of the documentation shows how to read each format.
"""


@Subcommand.register("elmo-score")
class ElmoScore(ResumableCommand):
    """
    Writes the probabilities that a biLM gives to the tokens of a text.

    Registered as a `Subcommand` with name "elmo-score".
    """

    description = (
        "Write the log probability and the rank of each token of a text, by the forward and by the "
        "backward direction of a biLM, over its whole vocabulary. With --pairs, tell which of two "
        "sentences it prefers. The ending of OUTPUT chooses its format: .tsv, .jsonl, .hdf5 or "
        ".h5; pairs have the first two."
    )
    epilog = EPILOG

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_files(parser)
        add_language_model(parser.add_argument_group("model"))
        add_input(parser.add_argument_group("input"))
        _add_scores(parser.add_argument_group("what is written"))
        _add_pairs(parser.add_argument_group("minimal pairs"))
        add_running(parser.add_argument_group("running"))

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        _require_what_fits(arguments)
        super().run(arguments)

    @overrides
    def run_text(self, arguments: argparse.Namespace, folder: WorkingFolder) -> None:
        _score(arguments, folder)


def _add_scores(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--surprisal",
        choices=UNITS,
        help="write surprisals, which are negative log probabilities, in this unit (default: log "
        "probabilities in nats)",
    )
    group.add_argument(
        "--unknown-words",
        choices=(COUNT, LEAVE_OUT),
        default=COUNT,
        help="words outside of the vocabulary: count all of them as the one word <UNK>, as "
        "'allennlp evaluate' does, or leave them out, without scores and without effect on the "
        "perplexities (default: count)",
    )
    group.add_argument(
        "--context",
        type=int,
        metavar="N",
        help="predict each token from the N tokens before it, or behind it for the backward "
        "direction (default: from all of the sentence)",
    )


def _add_pairs(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--pairs",
        action="store_true",
        help="INPUT has pairs of an acceptable sentence and another one: separated by a tab, with "
        "the name of a group as a third field if there are groups; or JSON lines with the fields "
        "of BLiMP, sentence_good and sentence_bad",
    )
    group.add_argument(
        "--group-by",
        metavar="FIELD",
        help="field of the group in JSON lines (default: UID or phenomenon, where there is one)",
    )
    group.add_argument(
        "--prefer-by",
        choices=PREFER_BY,
        default=PREFER_BY[0],
        help="score of a sentence: the log probability of one direction, or the mean of both "
        "(default: both)",
    )
    group.add_argument(
        "--normalize",
        choices=NORMALIZATIONS,
        default=NORMALIZATIONS[0],
        help="tokens: divide the score by the number of predictions, for pairs of sentences that "
        "differ in length (default: none)",
    )


def _require_what_fits(arguments: argparse.Namespace) -> None:
    """Refuses options that would have no effect."""
    if arguments.pairs:
        misplaced = {
            "--surprisal": arguments.surprisal is not None,
            "--keys": arguments.keys != "ids",
            "--blank-lines": arguments.blank_lines != "error",
        }
    else:
        misplaced = {
            "--group-by": arguments.group_by is not None,
            "--prefer-by": arguments.prefer_by != PREFER_BY[0],
            "--normalize": arguments.normalize != NORMALIZATIONS[0],
        }
    found = [option for option, is_given in misplaced.items() if is_given]
    if found:
        wrong = "together with" if arguments.pairs else "without"
        raise ConfigurationError(
            f"Got {' and '.join(found)} {wrong} --pairs, where it has no effect. Leave it out."
        )


def _score(arguments: argparse.Namespace, folder: WorkingFolder) -> None:
    source = _source(arguments, folder)
    task = _task(arguments)
    require_unread(task.output_class.paths(task.output), language_model_files(arguments))
    warm_up = warm_up_texts(arguments, source)
    language_model = load_language_model(**language_model_options(arguments, warm_up))
    scorer = ElmoScorer(
        language_model, arguments.context, arguments.max_tokens, arguments.batch_size
    )
    settings = state_settings(arguments, warm_up)
    job = ExtractionJob(source, scorer, task, arguments.resume, settings)
    plan = job.plan()
    print_plan(plan, task.output)
    summary = job.run(plan)
    print_written(summary)
    _print_results(summary.record)


def _source(arguments: argparse.Namespace, folder: WorkingFolder) -> SentenceFile:
    if not arguments.pairs:
        return sentence_source(arguments, folder)
    location, name = input_location(arguments, folder)
    return PairFile(
        location,
        arguments.input_format,
        arguments.tokenize,
        arguments.group_by,
        name,
        Path(arguments.output).parent,
    )


def _task(arguments: argparse.Namespace) -> ExtractionTask[ElmoScorer]:
    output = Path(arguments.output)
    leaves_out_unknown = arguments.unknown_words == LEAVE_OUT
    if arguments.pairs:
        preference = Preference(arguments.prefer_by, arguments.normalize)
        return PairsTask(output, preference, leaves_out_unknown)
    return ScoringTask(output, ScoreStyle(arguments.surprisal, leaves_out_unknown))


def _print_results(record: Dict[str, Any]) -> None:
    """Prints what the record of the last commit says about the whole output."""
    if ACCURACY in record:
        print(Accuracy(record[ACCURACY]).table())
        return
    totals = ScoreTotals(**record[TOTALS])
    if totals.num_counted:
        forward, backward = totals.perplexities
        print(
            f"Perplexity: {forward:.2f} forward, {backward:.2f} backward, "
            f"{totals.perplexity:.2f} both, over {totals.num_counted:,} predictions each"
        )
    if totals.num_tokens:
        print(
            f"Unknown words: {totals.num_unknown:,} of {totals.num_tokens:,} tokens "
            f"({100 * totals.num_unknown / totals.num_tokens:.2f}%)"
        )
