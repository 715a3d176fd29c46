"""
`allennlp elmo-convert`: writes a model in the layout that other ELMo programs read.
"""

import argparse

from allennlp.commands.subcommand import Subcommand
from overrides import overrides

from allennlp_elmo_plugin.commands.command import ElmoCommand
from allennlp_elmo_plugin.compat.convert import convert_model

__all__ = ["ElmoConvert"]

EPILOG = """
examples:
  allennlp elmo-convert elmo.tar.gz elmo
      a folder for AllenNLP, bilm-tf and this plugin
  allennlp elmo-convert elmo elmo.zip --vocabulary vocab.txt
      a zip for simple_elmo
  allennlp elmo-convert model.ckpt-935588 elmo --vocabulary vocab.txt
      a folder from a TensorFlow checkpoint, with its softmax

A model that AllenNLP trained is converted with the weights it has after training, but without
softmax and vocabulary. allennlp elmo-export reads trained models alone, and writes both as well.
"""


@Subcommand.register("elmo-convert")
class ElmoConvert(ElmoCommand):
    """
    Writes a model in the layout of bilm-tf or of NLPL.

    Registered as a `Subcommand` with name "elmo-convert".
    """

    description = (
        "Write an ELMo model, whatever its files, in the layout that other ELMo programs read: "
        "a folder with options.json and weights.hdf5, as bilm-tf writes them, or a zip for "
        "simple_elmo, as in the NLPL repository."
    )
    epilog = EPILOG

    @overrides
    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "model",
            metavar="MODEL",
            help="an ELMo: path or URL of a folder, zip or tar with its options and weights, "
            "in the layout of AllenNLP, bilm-tf, TF-Hub or ELMoForManyLangs; prefix of a "
            "TensorFlow checkpoint; published:NAME; pretrained:small; a model.tar.gz that AllenNLP "
            "trained on top of one, or its folder; or its options alone, with --weight-file",
        )
        parser.add_argument(
            "output",
            metavar="OUTPUT",
            help="folder to write to, made if it is missing; or, if it ends in .zip, a zip with "
            "meta.json, options.json, model.hdf5 and vocab.txt. The files appear when all of them "
            "are complete",
        )
        parser.add_argument(
            "--weight-file", metavar="FILE", help="weights, if MODEL is the options alone"
        )
        parser.add_argument(
            "--module", metavar="NAME", help="name of the biLM in a model.tar.gz that has several"
        )
        parser.add_argument(
            "--vocabulary",
            metavar="FILE",
            help="words of the model, one a line, with <S>, </S> and <UNK> among them; written to "
            "vocab.txt in the zip or vocabulary.txt in the folder. simple_elmo needs them for "
            "substitutes, not for vectors",
        )
        parser.add_argument(
            "--softmax",
            metavar="FILE",
            help="softmax of the model (.hdf5, or .index of a TensorFlow checkpoint), which has a "
            "row for each word of --vocabulary; written to softmax.hdf5 in the folder. With a "
            "--vocabulary, a checkpoint as MODEL gives its own",
        )

    @overrides
    def run(self, arguments: argparse.Namespace) -> None:
        convert_model(
            arguments.model,
            arguments.output,
            arguments.weight_file,
            arguments.module,
            arguments.vocabulary,
            arguments.softmax,
        )
        print(f"Wrote the biLM of {arguments.model} to {arguments.output}")
