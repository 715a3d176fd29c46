"""
`allennlp elmo-export`: writes the biLM of an archive as `options.json` and `weights.hdf5`.
"""

import argparse

from allennlp.commands.subcommand import Subcommand
from overrides import overrides

from allennlp_elmo_plugin.archive.trained_model import load_trained_model
from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.language_model.export import export_bilm

__all__ = ["ElmoExport"]


@Subcommand.register("elmo-export")
class ElmoExport(ElmoCommand):
    """
    Exports the biLM of an archive to the files that every ELMo implementation reads.

    Registered as a `Subcommand` with name "elmo-export".
    """

    description = (
        "Write the biLM (ELMo's language model) of a trained model, with the weights it has after "
        "training, as options.json and weights.hdf5, the two files of an ELMo. For a model of the "
        "type bidirectional_lm, also write softmax.hdf5 and vocabulary.txt."
    )

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "archive", help="path of a model.tar.gz, or the serialization directory of a training"
        )
        parser.add_argument("folder", help="folder for the exported files; made if it is missing")
        parser.add_argument(
            "--module",
            help="name of the biLM's module within the model; required if the model has several "
            "biLMs",
        )
        parser.add_argument(
            "--weights-file", help="path of model weights to use instead of those in the archive"
        )

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        model = load_trained_model(arguments.archive, arguments.weights_file)
        name = export_bilm(model, arguments.folder, arguments.module)
        print(f"Wrote the biLM '{name}' of {arguments.archive} to the folder {arguments.folder}")
