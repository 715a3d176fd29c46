"""
Subcommands of `allennlp`. They parse arguments; the work is done by functions of other rooms.
"""

from allennlp_elmo_plugin.commands.elmo import ElmoVectors
from allennlp_elmo_plugin.commands.elmo_convert import ElmoConvert
from allennlp_elmo_plugin.commands.elmo_export import ElmoExport
from allennlp_elmo_plugin.commands.elmo_look import ElmoLook
from allennlp_elmo_plugin.commands.elmo_models import ElmoModels
from allennlp_elmo_plugin.commands.elmo_tokenize import ElmoTokenize

__all__ = ["ElmoConvert", "ElmoExport", "ElmoLook", "ElmoModels", "ElmoTokenize", "ElmoVectors"]
