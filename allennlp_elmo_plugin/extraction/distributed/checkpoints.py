"""
Finding the shards that are finished, from the checkpoints of Ray Data.
"""

from typing import Any, Optional, Tuple

import numpy
import ray
from overrides import overrides
from ray.data.checkpoint.checkpoint_filter import IdColumnCheckpointManager
from ray.types import ObjectRef

from allennlp_elmo_plugin.extraction.distributed.tables import read_tables

__all__ = ["ReceiptManager"]


class ReceiptManager(IdColumnCheckpointManager):
    """
    Loads the checkpoints that Ray Data has written, one small file for each shard.

    Ray's own loading is a task of Ray Data for such files, which had not read 20,000 of them after
    nine minutes (Ray 2.60). Arrow reads them in four seconds.
    """

    @overrides
    def load_checkpoint(
        self, data_file_dir: Optional[str] = None, data_file_filesystem: Optional[Any] = None
    ) -> Tuple[Optional[ObjectRef[numpy.ndarray]], int]:
        """
        Loads the ids of all finished shards.

        # Parameters

        data_file_dir : `str`, optional (default = `None`)
            Folder of the receipts, from which those that a kill has left half written are removed.
        data_file_filesystem : `pyarrow.fs.FileSystem`, optional (default = `None`)
            File system of that folder.

        # Returns

        `Tuple[Optional[ObjectRef], int]`
            Reference to a sorted array of the ids, and its size in bytes. `None` if there is none.
        """
        self._clean_pending_checkpoints(data_file_dir, data_file_filesystem)
        table = read_tables(self.checkpoint_path_unwrapped, self.filesystem)
        if table is None:
            return None, 0
        ids = numpy.sort(table.column(self.id_column).to_numpy(zero_copy_only=False))
        return ray.put(ids), int(ids.nbytes + sum(map(len, ids)))
