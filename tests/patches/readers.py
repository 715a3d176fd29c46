"""A dataset reader that lives in a module which spawned workers can import."""

from typing import Any, Iterable

from allennlp.common.tqdm import Tqdm
from allennlp.data import Instance
from allennlp.data.dataset_readers import SequenceTaggingDatasetReader

__all__ = ["ReaderWithProgress"]


class ReaderWithProgress(SequenceTaggingDatasetReader):
    """Reads as its parent does, and shows its progress, for which it takes Tqdm's lock."""

    def _read(self, file_path: Any) -> Iterable[Instance]:
        yield from Tqdm.tqdm(super()._read(file_path))
