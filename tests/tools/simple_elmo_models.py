"""
Writes the models on which `tests/tools/simple_elmo_vectors.py` runs simple_elmo.
"""

import sys
from pathlib import Path
from typing import Any, Dict

from allennlp_elmo_plugin.compat.convert import convert_model
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files

__all__ = ["MODELS", "write_models"]

MODELS: Dict[str, Dict[str, Any]] = {
    "plain": {},
    "unusual": {
        "n_layers": 3,
        "max_characters": 12,
        "activation": "tanh",
        "n_highway": 2,
        "cell_clip": 0.4,
        "proj_clip": 0.3,
        "use_skip_connections": False,
    },
    "no_projection": {"cell_size": 8, "filters": [(1, 3), (2, 5)], "proj_clip": None},
}
"""Arguments of `elmo_options` by the names of the models."""


def write_models(folder: Path) -> None:
    """Writes each model as a zip in NLPL's layout."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in MODELS.items():
        has_projection = name != "no_projection"
        options = elmo_options(**options)
        arrays = elmo_arrays(options, seed=6, with_word_projection=has_projection)
        write_elmo_files(folder / name, options, arrays)
        convert_model(folder / name, folder / f"{name}.zip")


if __name__ == "__main__":
    write_models(Path(sys.argv[1]))
