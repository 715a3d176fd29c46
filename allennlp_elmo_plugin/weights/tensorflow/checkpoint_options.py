"""
The options of a checkpoint's biLM: from the file beside it, or from the shapes of its variables.
"""

import logging
from itertools import count, takewhile
from pathlib import Path
from typing import Iterator, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.spelling import MAX_CHARACTERS_PER_TOKEN
from allennlp_elmo_plugin.weights.dataset_file import DatasetFile
from allennlp_elmo_plugin.weights.tensorflow.checkpoint_file import CheckpointFile

__all__ = ["checkpoint_options"]

logger = logging.getLogger(__name__)

OPTIONS_FILE = "options.json"
"""Name of the file that bilm-tf saves beside its checkpoints."""

ASSUMED = {
    "activation": "relu",
    "max_characters_per_token": MAX_CHARACTERS_PER_TOKEN,
    "cell_clip": 3.0,
    "proj_clip": 3.0,
    "use_skip_connections": True,
}
"""Values of bilm-tf's own training script, with which the published biLMs were trained."""

Shape = Tuple[int, ...]


def checkpoint_options(path: Path) -> ElmoOptions:
    """
    Returns the options of a checkpoint's biLM.

    They are read from the `options.json` beside it. Where there is none, as in a module of TF-Hub,
    the shapes of the variables give the sizes. The other options are those of bilm-tf's training
    script, and the log names them.

    # Parameters

    path : `Path`
        Path of the index.

    # Raises

    `ConfigurationError`
        If a file is damaged, or if the variables are not those of a biLM.
    """
    beside = path.with_name(OPTIONS_FILE)
    if beside.is_file():
        return ElmoOptions.from_file(beside)
    with CheckpointFile(path, "ELMo weights") as file:
        try:
            options = _options_of_shapes(file)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"There is no '{OPTIONS_FILE}' beside '{path}', and the options cannot be read "
                f"from its variables: {error}"
            ) from error
    logger.warning(
        "There is no '%s' beside '%s'. The shapes of its variables give the sizes of the biLM; the "
        "rest is assumed as in bilm-tf's training script: %s. If the biLM was trained with other "
        "values, give an options file.",
        OPTIONS_FILE,
        path,
        ", ".join(f"{key} {value}" for key, value in ASSUMED.items()),
    )
    return options


def _options_of_shapes(file: DatasetFile) -> ElmoOptions:
    convolutions = [
        _shape(file, name, 4) for name in _present(file, (f"CNN/W_cnn_{i}" for i in count()))
    ]
    highways = list(_present(file, (f"CNN_high_{k}/W_carry" for k in count())))
    cells = [f"RNN_0/RNN/MultiRNNCell/Cell{k}/LSTMCell/" for k in range(len(file.names))]
    layers = list(_present(file, (cell + "W_0" for cell in cells)))
    return ElmoOptions(
        filters=tuple((width, number) for _, width, _, number in convolutions),
        projection_dim=_shape(file, cells[0] + "W_0", 2)[0] // 2,
        cell_size=_shape(file, cells[0] + "B", 1)[0] // 4,
        num_layers=len(layers),
        char_embedding_dim=_shape(file, "char_embed", 2)[1],
        num_highways=len(highways),
        **ASSUMED,  # type: ignore[arg-type]
    )


def _present(file: DatasetFile, names: Iterator[str]) -> Iterator[str]:
    """Yields names up to the first that the file lacks."""
    return takewhile(file.__contains__, names)


def _shape(file: DatasetFile, name: str, dimensions: int) -> Shape:
    shape: Optional[Shape] = file.shape(name) if name in file else None
    if shape is None or len(shape) != dimensions:
        found = "no such variable" if shape is None else f"shape {shape}"
        raise ConfigurationError(
            f"expected '{file.title(name)}' with {dimensions} dimensions, got {found}"
        )
    return shape
