"""
Subcommands of `allennlp`. They parse arguments; the work is done by functions of other rooms.
"""

from allennlp_elmo_plugin.commands.elmo import ElmoVectors
from allennlp_elmo_plugin.commands.elmo_change import ElmoChange
from allennlp_elmo_plugin.commands.elmo_convert import ElmoConvert
from allennlp_elmo_plugin.commands.elmo_export import ElmoExport
from allennlp_elmo_plugin.commands.elmo_look import ElmoLook
from allennlp_elmo_plugin.commands.elmo_models import ElmoModels
from allennlp_elmo_plugin.commands.elmo_score import ElmoScore
from allennlp_elmo_plugin.commands.elmo_substitutes import ElmoSubstitutes
from allennlp_elmo_plugin.commands.elmo_tokenize import ElmoTokenize

__all__ = [
    "ElmoChange",
    "ElmoConvert",
    "ElmoExport",
    "ElmoLook",
    "ElmoModels",
    "ElmoScore",
    "ElmoSubstitutes",
    "ElmoTokenize",
    "ElmoVectors",
]
