"""
TensorFlow checkpoints with damaged bytes.
"""

import shutil
from pathlib import Path
from random import Random

import torch
from overrides import overrides

from allennlp_elmo_plugin import ElmoBilm
from reliability.fuzz.damage import damage
from reliability.fuzz.kind import Kind, clear_errors, require
from reliability.fuzz.odd_files import place_odd_file
from tests.support.tensorflow_bundle import TENSORFLOW_DATA, bundle_entries, table
from tests.support.tensorflow_cases import CASES

__all__ = ["CheckpointsKind"]

NAME = "hub/variables/variables"
PREFIX = "variables"
SUFFIXES = (".index", ".data-00000-of-00001")


class CheckpointsKind(Kind):
    """
    TensorFlow checkpoints with damaged bytes.

    Half of the damage is to an entry of the index before its checksum is computed, so that it
    reaches what reads the entries. The numbers have checksums as well, so the right result has the
    honest ones.
    """

    name = "checkpoints"
    cases = 2000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        index = TENSORFLOW_DATA / f"{NAME}.index"
        self._entries = bundle_entries(CASES[NAME].variables)
        self._honest = ElmoBilm.from_files(index, index).state_dict()

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        for suffix in SUFFIXES:
            shutil.copy(TENSORFLOW_DATA / f"{NAME}{suffix}", folder / f"{PREFIX}{suffix}")
        index = folder / f"{PREFIX}{SUFFIXES[0]}"
        if random.random() < 0.5:
            index.write_bytes(self._damaged_table(random))
        else:
            path = folder / f"{PREFIX}{random.choice(SUFFIXES)}"
            content = path.read_bytes()
            path.unlink()
            if random.random() < 0.04:
                place_odd_file(random, path)
            else:
                path.write_bytes(damage(random, content))
        with clear_errors(str(folder)):
            found = ElmoBilm.from_files(index, index).state_dict()
        require(found.keys() == self._honest.keys(), "the parameters have other names")
        for name, tensor in self._honest.items():
            require(torch.equal(found[name], tensor), f"a parameter has other numbers: {name}")

    def _damaged_table(self, random: Random) -> bytes:
        """Returns an index with right checksums, one of whose entries is damaged."""
        entries = list(self._entries)
        place = random.randrange(len(entries))
        key, value = entries[place]
        entries[place] = (
            (damage(random, key), value) if random.random() < 0.3 else (key, damage(random, value))
        )
        return table(entries, per_block=random.choice((1, 3, 100)))
