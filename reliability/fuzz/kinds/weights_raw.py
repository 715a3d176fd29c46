"""
Weight files with damaged bytes.
"""

from pathlib import Path
from random import Random
from typing import Dict, Optional, Tuple

import h5py
import numpy
from overrides import overrides

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from reliability.fuzz.damage import damage, overwrite
from reliability.fuzz.kind import Kind, clear_errors, require
from reliability.fuzz.kinds.weight_arrays import all_finite, require_equal, restored
from reliability.fuzz.odd_files import place_odd_file

__all__ = ["RawWeightsKind"]

OPTIONS = ElmoOptions(filters=((2, 4),), projection_dim=3, cell_size=4, num_layers=1)


class RawWeightsKind(Kind):
    """
    Weight files with damaged bytes.

    HDF5 writes no checksums by default, so some damage makes another valid file. The right result
    has the honest numbers, with the damaged ones where the damage hit numbers alone. If it hit
    anything else, it has the numbers that h5py reads from the file.
    """

    name = "weights_raw"
    cases = 2000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        ElmoBilm(OPTIONS).to_folder(folder)
        self._options_file = str(folder / "options.json")
        self._content = (folder / "weights.hdf5").read_bytes()
        self._places, self._shapes = _dataset_places(folder / "weights.hdf5")
        self._honest = ElmoBilm.from_files(folder, folder).state_dict()

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        path = folder / "weights.hdf5"
        content: Optional[bytes] = None
        if random.random() < 0.02:
            place_odd_file(random, path)
        else:
            content = random.choice((damage, overwrite))(random, self._content)
            path.write_bytes(content)
        with clear_errors(str(path)):
            found = ElmoBilm.from_files(self._options_file, path).state_dict()
        require(content is not None, "no file was read as one")
        assert content is not None
        arrays = self._arrays_by_place(content)
        if arrays is None:
            arrays = _arrays_by_h5py(path, self._shapes)
        require(all_finite(arrays), "numbers that are not finite were loaded")
        is_honest = content == self._content
        require_equal(
            found, self._honest if is_honest else restored(arrays, self._options_file, folder)
        )

    def _arrays_by_place(self, content: bytes) -> Optional[Dict[str, numpy.ndarray]]:
        """Returns the damaged numbers, or `None` if the damage hit more than numbers."""
        if len(content) != len(self._content):
            return None
        rest, honest_rest = bytearray(content), bytearray(self._content)
        arrays = {}
        for name, (start, stop) in self._places.items():
            arrays[name] = numpy.frombuffer(content[start:stop], "<f4").reshape(self._shapes[name])
            rest[start:stop] = honest_rest[start:stop] = bytes(stop - start)
        return arrays if rest == honest_rest else None


def _dataset_places(
    path: Path,
) -> Tuple[Dict[str, Tuple[int, int]], Dict[str, Tuple[int, ...]]]:
    places, shapes = {}, {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            assert item.dtype == "<f4" and item.chunks is None
            start = item.id.get_offset()
            places[name] = (start, start + item.size * 4)
            shapes[name] = item.shape

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return places, shapes


def _arrays_by_h5py(path: Path, names: Dict[str, Tuple[int, ...]]) -> Dict[str, numpy.ndarray]:
    with h5py.File(path, "r") as file:
        return {name: file[name][()] for name in names}
