"""A dataset reader in a module that spawned workers can import."""

from typing import Any, Iterable

from allennlp.common.tqdm import Tqdm
from allennlp.data import Instance
from allennlp.data.dataset_readers import SequenceTaggingDatasetReader

__all__ = ["ReaderWithProgress"]


class ReaderWithProgress(SequenceTaggingDatasetReader):
    """A `sequence_tagging` reader that shows a progress bar, which takes Tqdm's lock."""

    def _read(self, file_path: Any) -> Iterable[Instance]:
        yield from Tqdm.tqdm(super()._read(file_path))
