"""
`allennlp elmo`: writes the vectors of a text to a file.
"""

import argparse
from pathlib import Path

from allennlp.commands.subcommand import Subcommand
from allennlp.common import logging as common_logging
from overrides import overrides

from allennlp_elmo_plugin.commands.elmo_arguments import (
    LAYERS,
    add_input,
    add_layers,
    add_model,
    add_results,
    add_running,
    extractor_options,
    files_read,
    require_float32,
    require_projectable,
    result_settings,
    target_words,
    warm_up_texts,
)
from allennlp_elmo_plugin.commands.elmo_on_ray import add_ray, extract_with_ray
from allennlp_elmo_plugin.commands.reports import print_plan, print_written
from allennlp_elmo_plugin.commands.resumable_command import ResumableCommand
from allennlp_elmo_plugin.commands.sentence_source import sentence_source
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.output_paths import require_unread
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder
from allennlp_elmo_plugin.look.projected_words import prepare_points

__all__ = ["ElmoVectors"]


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
  allennlp elmo corpus.txt words.bin --model elmo.zip --average --types 5000 --projector words
      the vectors of frequent words, and files to see them in TensorBoard
  allennlp elmo corpus.txt vectors.hdf5 --model elmo.zip --resume
      go on after Ctrl-C, a kill or a full disk

The page "Vectors from the command line" of the documentation shows how to read each format.
"""


@Subcommand.register("elmo")
class ElmoVectors(ResumableCommand):
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
        add_model(parser.add_argument_group("model"))
        add_input(parser.add_argument_group("input"))
        written = parser.add_argument_group("what is written", LAYERS)
        add_layers(written)
        add_results(written)
        add_running(parser.add_argument_group("running"))
        add_ray(parser.add_argument_group("running in several processes"))

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        if arguments.layers is None:
            arguments.layers = "all"
        require_projectable(arguments)
        if arguments.ray is None:
            super().run(arguments)
            return
        common_logging.FILE_FRIENDLY_LOGGING = arguments.file_friendly_logging
        extract_with_ray(arguments)

    @overrides
    def run_text(self, arguments: argparse.Namespace, folder: WorkingFolder) -> None:
        _extract(arguments, folder)

    @overrides
    def how_to_go_on(self, arguments: argparse.Namespace) -> str:
        if arguments.ray is not None:
            return "Run the same command again to go on."
        return super().how_to_go_on(arguments)


def _extract(arguments: argparse.Namespace, folder: WorkingFolder) -> None:
    source = sentence_source(arguments, folder)
    task = _task(arguments, source)
    require_unread(task.output_class.paths(task.output), files_read(arguments))
    warm_up = warm_up_texts(arguments, source)
    options = extractor_options(arguments, warm_up)
    extractor = ElmoExtractor.load(**options, device=arguments.cuda_device)
    settings = result_settings(arguments, warm_up)
    job = ExtractionJob(source, extractor, task, arguments.resume, settings)
    plan = job.plan()
    print_plan(plan, task.output)
    # Standard input can be read until the job has run.
    points = None if arguments.projector is None else prepare_points(task, source)
    print_written(job.run(plan))
    if points is not None:
        print(points.write(task.output, Path(arguments.projector)))


def _task(arguments: argparse.Namespace, source: SentenceFile) -> ExtractionTask:
    output = Path(arguments.output)
    if arguments.targets is not None:
        return TargetsTask(target_words(arguments), output, arguments.dtype)
    if arguments.types is not None:
        require_float32(arguments)
        return WordTypesTask(arguments.types, output)
    # Where keys say what the sentence is, AllenNLP 0.9 wrote no table either.
    has_numbers = arguments.keys != "sentences" and not source.has_ids
    has_sentence_index = has_numbers and not arguments.forget_sentences
    return ExtractionTask(output, arguments.dtype, has_sentence_index)
