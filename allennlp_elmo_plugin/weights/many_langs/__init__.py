"""
The files of a biLM that ELMoForManyLangs trained (Che et al., 2018).
"""

from allennlp_elmo_plugin.weights.many_langs.folder import is_many_langs
from allennlp_elmo_plugin.weights.many_langs.options import many_langs_options
from allennlp_elmo_plugin.weights.many_langs.weights import ManyLangsWeights

__all__ = ["ManyLangsWeights", "is_many_langs", "many_langs_options"]
