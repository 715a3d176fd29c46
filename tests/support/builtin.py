"""AllenNLP's own ELMo classes, whose names mean the plugin's once it is loaded."""

from allennlp_elmo_plugin import ElmoCharactersIndexer, ElmoTokenEmbedder

__all__ = ["BuiltInEmbedder", "BuiltInIndexer"]

BuiltInEmbedder = ElmoTokenEmbedder.__bases__[0]
BuiltInIndexer = ElmoCharactersIndexer.__bases__[0]

for builtin in (BuiltInEmbedder, BuiltInIndexer):
    assert builtin.__module__.startswith("allennlp."), builtin
