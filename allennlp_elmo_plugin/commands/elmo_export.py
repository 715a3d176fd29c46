"""
`allennlp elmo-export`: the biLM of an archive as `options.json` and `weights.hdf5`.
"""

import argparse
import logging
import os
from typing import Dict, Optional, Union

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive
from overrides import overrides
from torch.nn import Module

from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm

__all__ = ["ElmoExport", "export_bilm"]

logger = logging.getLogger(__name__)


@Subcommand.register("elmo-export")
class ElmoExport(Subcommand):
    """
    Writes the biLM of an archive, as it was tuned, in bilm-tf's layout.

    Registered as a `Subcommand` with name "elmo-export".
    """

    @overrides
    def add_subparser(self, parser: "argparse._SubParsersAction") -> argparse.ArgumentParser:
        """
        # Parameters

        parser : `argparse._SubParsersAction`
            What the command is added to.

        # Returns

        `argparse.ArgumentParser`
        """
        description = (
            "Write the biLM of an archive to a folder, as options.json and weights.hdf5, which "
            "every ELMo reads; of a bidirectional_lm also softmax.hdf5 and vocabulary.txt."
        )
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument(
            "archive", help="a model.tar.gz, or the serialization directory of a training"
        )
        subparser.add_argument("folder", help="where to write the files; made if missing")
        subparser.add_argument(
            "--module",
            help="the name of the biLM within the model, needed if there are several",
        )
        subparser.add_argument(
            "--weights-file", help="weights to take in place of those in the archive"
        )
        subparser.set_defaults(func=_run)
        return subparser


def _run(arguments: argparse.Namespace) -> None:
    model = load_archive(arguments.archive, weights_file=arguments.weights_file).model
    name = export_bilm(model, arguments.folder, arguments.module)
    print(f"Wrote the biLM '{name}' of {arguments.archive} to the folder {arguments.folder}")


def export_bilm(
    model: Module, folder: Union[str, "os.PathLike[str]"], name: Optional[str] = None
) -> str:
    """
    Writes the biLM of a model.

    # Parameters

    model : `Module`
        A model that holds an `ElmoBilm`.
    folder : `Union[str, PathLike]`
        It is made where it is missing; an `options.json` and a `weights.hdf5` in it are replaced,
        of a `BidirectionalLm` also a `softmax.hdf5` and a `vocabulary.txt`.
    name : `str`, optional (default = `None`)
        Which biLM, by the name of its module or of one around it. Needed if there are several.

    # Returns

    `str`
        The name of the module that was written.

    # Raises

    `ConfigurationError`
        When there is no biLM of this name, or several. Nothing is written then.
    """
    bilms: Dict[str, ElmoBilm] = {
        found: module for found, module in model.named_modules() if isinstance(module, ElmoBilm)
    }
    listed = "\n  ".join(bilms) or "none"
    chosen = {
        found: bilm for found, bilm in bilms.items() if f"{found}.".startswith(f"{name or found}.")
    }
    if len(chosen) != 1:
        wanted = "a model with one biLM" if name is None else f"one biLM at '{name}'"
        raise ConfigurationError(
            f"Expected {wanted}, got {len(chosen)}. The biLMs of this model:\n  {listed}\n"
            "Name one of them with --module."
        )
    ((found, bilm),) = chosen.items()
    if bilm.precision != "float32":
        logger.warning(
            "The biLM '%s' has the precision '%s': its weights are written as they were rounded.",
            found,
            bilm.precision,
        )
    owner = model.get_submodule(found.rpartition(".")[0])
    # Its words are only worth something together with the softmax.
    (owner if isinstance(owner, BidirectionalLm) else bilm).to_folder(folder)
    return found
