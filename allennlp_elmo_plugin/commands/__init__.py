"""
Subcommands of `allennlp`.
"""

from allennlp_elmo_plugin.commands.elmo_export import ElmoExport

__all__ = ["ElmoExport"]
