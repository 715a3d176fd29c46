"""AllenNLP's own ELMo classes, whose names mean the plugin's once it is loaded."""

from contextlib import contextmanager
from typing import Iterator

from allennlp.data import TokenIndexer
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import Elmo, ElmoCharactersIndexer, ElmoTokenEmbedder

__all__ = ["BuiltInElmo", "BuiltInEmbedder", "BuiltInIndexer", "built_in"]

BuiltInElmo = Elmo.__bases__[0]
BuiltInEmbedder = ElmoTokenEmbedder.__bases__[0]
BuiltInIndexer = ElmoCharactersIndexer.__bases__[0]

for builtin in (BuiltInElmo, BuiltInEmbedder, BuiltInIndexer):
    assert builtin.__module__.startswith("allennlp."), builtin


@contextmanager
def built_in() -> Iterator[None]:
    """Registers AllenNLP's own classes under the names that the plugin takes."""
    embedders = TokenEmbedder._registry[TokenEmbedder]
    indexers = TokenIndexer._registry[TokenIndexer]
    ours = embedders["elmo_token_embedder"], indexers["elmo_characters"]
    embedders["elmo_token_embedder"] = (BuiltInEmbedder, None)
    indexers["elmo_characters"] = (BuiltInIndexer, None)
    try:
        yield
    finally:
        embedders["elmo_token_embedder"], indexers["elmo_characters"] = ours
