"""
The kinds of cases, one module each.
"""

from typing import Dict, Type

from reliability.fuzz.kind import Kind
from reliability.fuzz.kinds.archives import ArchivesKind
from reliability.fuzz.kinds.batches import BatchesKind
from reliability.fuzz.kinds.cache_files import CacheFilesKind
from reliability.fuzz.kinds.checkpoints import CheckpointsKind
from reliability.fuzz.kinds.many_langs import ManyLangsKind
from reliability.fuzz.kinds.options import OptionsKind
from reliability.fuzz.kinds.text_files import TextFilesKind
from reliability.fuzz.kinds.weights_raw import RawWeightsKind
from reliability.fuzz.kinds.weights_structured import StructuredWeightsKind

__all__ = ["KINDS"]

KINDS: Dict[str, Type[Kind]] = {
    kind.name: kind
    for kind in (
        OptionsKind,
        RawWeightsKind,
        StructuredWeightsKind,
        CheckpointsKind,
        ManyLangsKind,
        ArchivesKind,
        CacheFilesKind,
        BatchesKind,
        TextFilesKind,
    )
}
"""Every kind by its name."""
