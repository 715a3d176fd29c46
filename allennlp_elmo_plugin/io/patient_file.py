"""
A file for libraries that end the process when a write fails.
"""

import io
from typing import Any, Optional

__all__ = ["PatientFile"]


class PatientFile(io.FileIO):
    """
    A file that keeps its first error for later, and from then on only pretends to write.

    HDF5 and PyTorch 1.12 can end the whole process when a write fails. Raise `error` when the
    library is done with the file.
    """

    error: Optional[OSError] = None
    """The first error, or `None`."""

    def write(self, data: Any) -> int:
        """Writes bytes, unless an earlier write failed, and returns their number."""
        view = memoryview(data).cast("B")
        remaining = view
        while remaining.nbytes and self.error is None:
            try:
                # One call writes at most 2 GiB.
                remaining = remaining[super().write(remaining) or 0 :]
            except OSError as error:
                self.error = error
        return view.nbytes

    def truncate(self, size: Optional[int] = None) -> int:
        """Changes the size, unless an earlier write failed, and returns it."""
        if self.error is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.error = error
        return self.tell() if size is None else size
