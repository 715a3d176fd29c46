"""
Weight files that HDF5 reads but that nobody should have written.
"""

from pathlib import Path
from random import Random
from typing import Any, Dict, Tuple

import h5py
import numpy
from overrides import overrides

from allennlp_elmo_plugin import ElmoBilm
from allennlp_elmo_plugin.weights import read_softmax
from reliability.fuzz.kind import Kind, clear_errors, require
from reliability.fuzz.kinds.hdf5_twists import FILE_TWISTS, TWISTS, Twist, rounded
from reliability.fuzz.kinds.weight_arrays import all_finite, require_equal, restored
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files

__all__ = ["StructuredWeightsKind"]

NUM_WORDS, SIZE = 7, 3
FILE_OPTIONS: Tuple[Dict[str, Any], ...] = (
    {},
    {},
    {},
    {"libver": "latest"},
    {"userblock_size": 512},
    {"track_order": True},
)


class StructuredWeightsKind(Kind):
    """
    Weight and softmax files in which some datasets are stored in odd ways.

    The right result has the numbers that were stored. A dataset that holds no numbers of its own
    must be refused: no floats, nothing written, or storage outside the file.
    """

    name = "weights_structured"
    cases = 2000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        options = elmo_options(
            filters=((2, 4),), char_dim=3, cell_size=4, projection_dim=SIZE, n_layers=1
        )
        self._options_file = write_elmo_files(folder, options).options_file
        self._arrays = elmo_arrays(options)
        random = numpy.random.RandomState(0)
        self._softmax = {
            "softmax/W": random.normal(size=(NUM_WORDS, SIZE)).astype("float32"),
            "softmax/b": random.normal(size=NUM_WORDS).astype("float32"),
        }
        (folder / "secret").write_bytes(random.bytes(10_000))

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        path = folder / "weights.hdf5"
        is_softmax = random.random() < 0.25
        arrays = dict(self._softmax if is_softmax else self._arrays)
        twist = self._write(random, path, arrays)
        if is_softmax:
            with clear_errors(str(path)):
                weight, bias = read_softmax(path, NUM_WORDS, SIZE)
            _require_acceptable(twist, arrays)
            arrays = rounded(path, arrays)
            for name, tensor in (("softmax/W", weight), ("softmax/b", bias)):
                same = numpy.array_equal(tensor.numpy(), arrays[name].astype("float32"))
                require(same, f"a parameter has other numbers: {name}")
            return
        with clear_errors(str(path)):
            found = ElmoBilm.from_files(self._options_file, path).state_dict()
        _require_acceptable(twist, arrays)
        arrays = rounded(path, arrays)
        require_equal(found, restored(arrays, self._options_file, folder))

    def _write(self, random: Random, path: Path, arrays: Dict[str, numpy.ndarray]) -> Twist:
        """Writes a file, leaves in `arrays` what it holds, and returns its worst twist."""
        worst = Twist.HONEST
        twisted = set(random.sample(sorted(arrays), random.choice((0, 1, 1, 1, 2, len(arrays)))))
        way = random.choice(TWISTS)
        with h5py.File(path, "w", **random.choice(FILE_OPTIONS)) as file:
            for name in random.sample(sorted(arrays), len(arrays)):
                if name not in twisted:
                    file.create_dataset(name, data=arrays[name])
                    continue
                twist, arrays[name] = way(random, file, name, arrays[name], self.folder / "secret")
                worst = max(worst, twist)
            if random.random() < 0.3:
                random.choice(FILE_TWISTS)(random, file)
        return worst


def _require_acceptable(twist: Twist, arrays: Dict[str, numpy.ndarray]) -> None:
    require(twist is not Twist.FOREIGN, "numbers from outside of the file were loaded")
    require(twist is not Twist.NO_NUMBERS, "a dataset without float numbers was loaded")
    require(all_finite(arrays), "numbers that are not finite were loaded")
