"""
Changes of a file that wait in memory.
"""

from typing import Callable, Dict, List

__all__ = ["PAGE_SIZE", "ShadowPages"]

# HDF5 changes a few hundred bytes here and there, so small pages need the least memory.
PAGE_SIZE = 1024


class ShadowPages:
    """
    Pages of a file that stand in for those on the disk.

    # Parameters

    read_disk : `Callable[[int, memoryview], None]`
        Function that fills a view with the bytes of the disk from an offset on.
    """

    def __init__(self, read_disk: Callable[[int, memoryview], None]) -> None:
        self._read_disk = read_disk
        self._pages: Dict[int, bytearray] = {}

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def numbers(self) -> List[int]:
        """Numbers of the changed pages, ascending; page 1 begins at byte `PAGE_SIZE`."""
        return sorted(self._pages)

    def page(self, number: int) -> bytearray:
        """
        Returns a changed page.

        # Parameters

        number : `int`
            Number of the page.

        # Returns

        `bytearray`
            All of its bytes.
        """
        return self._pages[number]

    def write(self, offset: int, data: memoryview) -> None:
        """
        Changes bytes.

        # Parameters

        offset : `int`
            Position of the first byte in the file.
        data : `memoryview`
            The new bytes.
        """
        end = offset + len(data)
        for number in range(offset // PAGE_SIZE, -(-end // PAGE_SIZE)):
            start = number * PAGE_SIZE
            low, high = max(offset, start), min(end, start + PAGE_SIZE)
            page = self._pages.get(number)
            if page is None:
                page = bytearray(PAGE_SIZE)
                if high - low < PAGE_SIZE:
                    self._read_disk(start, memoryview(page))
                self._pages[number] = page
            page[low - start : high - start] = data[low - offset : high - offset]

    def overlay(self, offset: int, view: memoryview) -> None:
        """
        Replaces the bytes of the disk by those that were changed.

        # Parameters

        offset : `int`
            Position of the first byte in the file.
        view : `memoryview`
            Bytes of the disk, changed in place.
        """
        end = offset + len(view)
        numbers = range(offset // PAGE_SIZE, -(-end // PAGE_SIZE)) if self._pages else ()
        for number in numbers:
            page = self._pages.get(number)
            if page is not None:
                start = number * PAGE_SIZE
                low, high = max(offset, start), min(end, start + PAGE_SIZE)
                view[low - offset : high - offset] = page[low - start : high - start]

    def truncate(self, size: int) -> None:
        """
        Drops all changes from an offset on.

        # Parameters

        size : `int`
            Number of bytes that stay.
        """
        for number in [number for number in self._pages if (number + 1) * PAGE_SIZE > size]:
            start = number * PAGE_SIZE
            if start >= size:
                del self._pages[number]
            else:
                self._pages[number][size - start :] = bytes(start + PAGE_SIZE - size)
