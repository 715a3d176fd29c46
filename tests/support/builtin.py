"""AllenNLP's own ELMo classes, whose names mean the plugin's once it is loaded."""

from contextlib import contextmanager
from typing import Any, Iterator

from allennlp.common import FromParams
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
    """
    Has configs build AllenNLP's own classes.

    They are registered under the names that the plugin takes, and an annotation of either `Elmo`
    builds AllenNLP's.
    """
    embedders = TokenEmbedder._registry[TokenEmbedder]
    indexers = TokenIndexer._registry[TokenIndexer]
    ours = embedders["elmo_token_embedder"], indexers["elmo_characters"]
    embedders["elmo_token_embedder"] = (BuiltInEmbedder, None)
    indexers["elmo_characters"] = (BuiltInIndexer, None)
    from_params = vars(Elmo)["from_params"]
    Elmo.from_params = classmethod(_build_builtin)  # type: ignore[assignment]
    try:
        yield
    finally:
        embedders["elmo_token_embedder"], indexers["elmo_characters"] = ours
        Elmo.from_params = from_params  # type: ignore[method-assign]


def _build_builtin(_: Any, *args: Any, **extras: Any) -> Any:
    return vars(FromParams)["from_params"].__func__(BuiltInElmo, *args, **extras)
