"""
`allennlp elmo-substitutes`: writes the words that a biLM expects in place of the tokens of a text.
"""

import argparse
from pathlib import Path

from allennlp.commands.subcommand import Subcommand
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
from allennlp_elmo_plugin.commands.sentence_source import sentence_source
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.output_paths import require_unread
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder
from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.scoring.language_model import load_language_model
from allennlp_elmo_plugin.scoring.substitutes import DISTRIBUTIONS, SubstituteFinder
from allennlp_elmo_plugin.scoring.substitutes_task import SubstitutesTask
from allennlp_elmo_plugin.scoring.target_forms import read_target_forms

__all__ = ["ElmoSubstitutes"]

MAX_LISTED = 20

EPILOG = """
examples:
  allennlp elmo-substitutes pretrained:small sentences.txt substitutes.jsonl
      ten candidates for each token by each distribution, from a text with one tokenized sentence
      a line
  allennlp elmo-substitutes pretrained:small corpus.txt uses.jsonl.gz --targets words.txt
      a line for each occurrence of some words
  allennlp elmo-substitutes model.tar.gz novel.txt out.jsonl --tokenize en --by combined --topn 50
      fifty candidates by the product of both directions, for a plain text

The page "Substitutes" of the documentation shows how to read the lines.
"""


@Subcommand.register("elmo-substitutes")
class ElmoSubstitutes(ResumableCommand):
    """
    Writes the words that a biLM expects in place of the tokens of a text.

    Registered as a `Subcommand` with name "elmo-substitutes".
    """

    description = (
        "Write the most probable words in the place of each token of a text, or of each occurrence "
        "of some words, with their log probabilities: by the tokens before it (forward), by those "
        "behind it (backward) and by both (combined). OUTPUT has JSON lines and ends in .jsonl or "
        ".jsonl.gz."
    )
    epilog = EPILOG

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_files(parser)
        add_language_model(parser.add_argument_group("model"))
        add_input(parser.add_argument_group("input"))
        _add_candidates(parser.add_argument_group("what is written"))
        add_running(parser.add_argument_group("running"))

    @overrides
    def run_text(self, arguments: argparse.Namespace, folder: WorkingFolder) -> None:
        _find(arguments, folder)


def _add_candidates(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--topn",
        type=int,
        metavar="N",
        default=10,
        help="number of candidates of each distribution (default: 10)",
    )
    group.add_argument(
        "--by",
        choices=DISTRIBUTIONS,
        action="append",
        help="the distribution that gives candidates; give --by twice for two of them (default: "
        "all three)",
    )
    group.add_argument(
        "--targets",
        metavar="FILE",
        help="only the occurrences of the words in FILE, one word a line. Other forms of it may "
        "follow with commas between them: mouse,mice. Each occurrence has a line of its own",
    )
    group.add_argument(
        "--without-token",
        action="store_true",
        help="leave the token itself out of its candidates",
    )


def _find(arguments: argparse.Namespace, folder: WorkingFolder) -> None:
    source = sentence_source(arguments, folder)
    targets = None if arguments.targets is None else read_target_forms(arguments.targets)
    task = SubstitutesTask(Path(arguments.output), targets)
    files = [*language_model_files(arguments), arguments.targets]
    require_unread(task.output_class.paths(task.output), files)
    warm_up = warm_up_texts(arguments, source)
    finder = SubstituteFinder(
        load_language_model(**language_model_options(arguments, warm_up)),
        arguments.topn,
        arguments.by or DISTRIBUTIONS,
        not arguments.without_token,
        arguments.max_tokens,
        arguments.batch_size,
    )
    settings = state_settings(arguments, warm_up)
    job = ExtractionJob(source, finder, task, arguments.resume, settings)
    plan = job.plan()
    print_plan(plan, task.output)
    print_written(job.run(plan))
    _print_occurrences(task)


def _print_occurrences(task: SubstitutesTask) -> None:
    if task.targets is None:
        return
    lemmas = dict.fromkeys(task.targets.values())
    absent = [lemma for lemma in lemmas if not task.num_occurrences[lemma]]
    num_found = sum(task.num_occurrences.values())
    print(
        f"{counted(num_found, 'occurrence')} of {len(lemmas) - len(absent):,} of "
        f"{counted(len(lemmas), 'target')}, a line for each."
    )
    if absent:
        more = f" and {len(absent) - MAX_LISTED:,} more" if len(absent) > MAX_LISTED else ""
        print(f"No occurrence: {', '.join(absent[:MAX_LISTED])}{more}")
