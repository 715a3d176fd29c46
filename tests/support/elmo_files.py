"""Small ELMo models with random weights, as `options.json` and an HDF5 file of plain h5py."""

import json
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Union

import h5py
import numpy

__all__ = ["ElmoFiles", "elmo_arrays", "elmo_options", "write_elmo_files"]

CHARACTERS_IN_FILE = 261

Clip = Union[float, str, None]


class ElmoFiles(NamedTuple):
    """
    Files of one model.

    # Parameters

    options_file : `str`
        Path of `options.json`.
    weight_file : `str`
        Path of the HDF5 file.
    """

    options_file: str
    weight_file: str


def elmo_options(
    *,
    filters: Sequence[Tuple[int, int]] = ((1, 4), (2, 6), (3, 8)),
    char_dim: int = 5,
    activation: str = "relu",
    n_highway: int = 1,
    max_characters: int = 50,
    n_layers: int = 2,
    cell_size: int = 12,
    projection_dim: int = 8,
    cell_clip: Clip = 3.0,
    proj_clip: Clip = 3.0,
    use_skip_connections: bool = True,
) -> Dict[str, Any]:
    """
    Returns the content of an options file. A clip of `"missing"` leaves its key out.
    """
    lstm: Dict[str, Any] = {
        "dim": cell_size,
        "n_layers": n_layers,
        "projection_dim": projection_dim,
        "use_skip_connections": use_skip_connections,
    }
    for key, clip in (("cell_clip", cell_clip), ("proj_clip", proj_clip)):
        if clip != "missing":
            lstm[key] = clip
    return {
        "lstm": lstm,
        "char_cnn": {
            "activation": activation,
            "embedding": {"dim": char_dim},
            "filters": [list(width_and_number) for width_and_number in filters],
            "max_characters_per_token": max_characters,
            "n_characters": CHARACTERS_IN_FILE + 1,
            "n_highway": n_highway,
        },
    }


def elmo_arrays(
    options: Dict[str, Any],
    seed: int = 0,
    with_state_projection: Optional[bool] = None,
    with_word_projection: bool = True,
) -> Dict[str, numpy.ndarray]:
    """
    Returns random float32 weights for `options`, by the name of their dataset.

    The scales keep every gate between linear and saturated, and the states near 1. So a clip of 3
    rarely takes effect, and a clip of 0.2 often does. By default the LSTMs have a projection unless
    their cells are as wide as its output. The character CNN may lack its projection if it has as
    many filters as the projection has outputs.
    """
    random = numpy.random.RandomState(seed)
    cnn, lstm = options["char_cnn"], options["lstm"]
    char_dim, n_filters = cnn["embedding"]["dim"], sum(number for _, number in cnn["filters"])
    cell_size, dim = lstm["dim"], lstm["projection_dim"]
    if with_state_projection is None:
        with_state_projection = cell_size != dim
    arrays: Dict[str, numpy.ndarray] = {}

    def draw(name: str, *shape: int, scale: float) -> None:
        arrays[name] = random.normal(0.0, scale, shape).astype("float32")

    draw("char_embed", CHARACTERS_IN_FILE, char_dim, scale=1.0)
    for index, (width, number) in enumerate(cnn["filters"]):
        scale = (width * char_dim) ** -0.5
        draw(f"CNN/W_cnn_{index}", 1, width, char_dim, number, scale=scale)
        draw(f"CNN/b_cnn_{index}", number, scale=0.5)
    for index in range(cnn["n_highway"]):
        group = f"CNN_high_{index}"
        for kind in ("transform", "carry"):
            draw(group + "/W_" + kind, n_filters, n_filters, scale=1.5 * n_filters**-0.5)
            draw(group + "/b_" + kind, n_filters, scale=0.5)
    if with_word_projection:
        draw("CNN_proj/W_proj", n_filters, dim, scale=1.5 * n_filters**-0.5)
        draw("CNN_proj/b_proj", dim, scale=0.3)
    for direction in range(2):
        for layer in range(lstm["n_layers"]):
            group = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            draw(group + "/W_0", 2 * dim, 4 * cell_size, scale=1.5 * (2 * dim) ** -0.5)
            draw(group + "/B", 4 * cell_size, scale=0.5)
            if with_state_projection:
                draw(group + "/W_P_0", cell_size, dim, scale=2.0 * cell_size**-0.5)
    return arrays


def write_elmo_files(
    folder: Path,
    options: Optional[Dict[str, Any]] = None,
    arrays: Optional[Dict[str, numpy.ndarray]] = None,
    *,
    seed: int = 0,
) -> ElmoFiles:
    """
    Writes a model into `folder`, which is created if needed.

    Options that are not given have their defaults, and weights that are not given are random.
    """
    options = elmo_options() if options is None else options
    arrays = elmo_arrays(options, seed) if arrays is None else arrays
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = ElmoFiles(str(folder / "options.json"), str(folder / "weights.hdf5"))
    with open(files.options_file, "w") as options_out:
        json.dump(options, options_out)
    with h5py.File(files.weight_file, "w") as weights_out:
        for name, array in arrays.items():
            weights_out.create_dataset(name, data=array)
    return files
