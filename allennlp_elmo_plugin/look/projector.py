"""
The files of TensorBoard's embedding projector.
"""

import json
import re
from pathlib import Path
from typing import Dict, Mapping, Sequence

import numpy
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import write_together

__all__ = ["CONFIG_NAME", "MAX_POINTS", "write_projector"]

CONFIG_NAME, METADATA_NAME = "projector_config.pbtxt", "metadata.tsv"
MAX_POINTS = 10_000
"""The number of points that the callers of `write_projector` stop at. t-SNE takes no more."""

# A number has six digits, which is closer than a screen can show.
DIGITS = "%.6g"
# The projector drops a line of white space, and its labels would then be those of other points.
NO_TEXT = "\u2423"


def write_projector(
    folder: Path, vectors: numpy.ndarray, labels: Mapping[str, Sequence[object]]
) -> None:
    """
    Writes vectors and their labels for TensorBoard's embedding projector.

    The files are `projector_config.pbtxt`, `metadata.tsv` with the labels, and a `.tsv` for each
    tensor. `tensorboard --logdir FOLDER` opens them, and projector.tensorflow.org loads the `.tsv`
    files. All of them appear together, or none does.

    # Parameters

    folder : `Path`
        Path of the folder, made if it is missing. Files of the same names in it are replaced.
    vectors : `numpy.ndarray`
        Shape (points, dim), float: one tensor with name "vectors"; or (points, layers, dim): a
        tensor for each layer, with names "layer_0", "layer_1" and so on. The projector shows no
        tensor of a single point or a single dimension.
    labels : `Mapping[str, Sequence[object]]`
        Columns by their names, each with a label for each point. The first one is shown beside the
        points. Tabs, line breaks and other runs of white space become a space.

    # Raises

    `ConfigurationError`
        If there are fewer than two points or no columns, if a number is not finite, or if a column
        has another number of labels than there are points.
    `OSError`
        If the files cannot be written, for example because the disk is full. The folder is then
        left as it was.
    """
    _check(vectors, labels)
    # TensorBoard takes a file for binary numbers only if it is no UTF-8, and some numbers are. A
    # file of text is never taken for another.
    with write_together(Path(folder), last=CONFIG_NAME) as partial:
        _write_metadata(partial / METADATA_NAME, labels)
        config = ""
        for name, tensor in _tensors(vectors).items():
            with open(partial / f"{name}.tsv", "w", encoding="ascii", newline="\n") as file:
                numpy.savetxt(file, tensor, DIGITS, "\t")
            config += _describe(name, tensor)
        (partial / CONFIG_NAME).write_bytes(config.encode("ascii"))


def _check(vectors: numpy.ndarray, labels: Mapping[str, Sequence[object]]) -> None:
    if vectors.ndim not in (2, 3) or not vectors.size or min(len(vectors), vectors.shape[-1]) < 2:
        raise ConfigurationError(
            "Expected vectors of shape (points, dim) or (points, layers, dim) for the projector, "
            f"with two or more points and numbers, got shape {vectors.shape}."
        )
    if not labels:
        raise ConfigurationError("Expected a column of labels for the projector, got none.")
    for name, column in labels.items():
        if len(column) != len(vectors):
            raise ConfigurationError(
                f"Expected {len(vectors)} labels in the column '{name}', one for each point of the "
                f"projector, got {len(column)}."
            )
    if not numpy.isfinite(vectors).all():
        raise ConfigurationError(
            "Expected finite numbers for the projector, got some that are infinite or NaN. Leave "
            "out the points that have them."
        )


def _tensors(vectors: numpy.ndarray) -> Dict[str, numpy.ndarray]:
    if vectors.ndim == 2:
        return {"vectors": vectors}
    return {f"layer_{layer}": vectors[:, layer] for layer in range(vectors.shape[1])}


def _write_metadata(path: Path, labels: Mapping[str, Sequence[object]]) -> None:
    # The projector takes the first line for names of columns if there is a tab in it.
    rows = zip(*labels.values())
    lines = [_join(list(labels))] if len(labels) > 1 else []
    lines += [_join(row) for row in rows]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def _join(row: Sequence[object]) -> str:
    return "\t".join(_harmless(label) for label in row)


def _harmless(label: object) -> str:
    # A byte order mark is white space in JavaScript, and none in Python. A NUL is none in both.
    return re.sub(r"[\s\x00\ufeff]+", " ", str(label)).strip() or NO_TEXT


def _describe(name: str, tensor: numpy.ndarray) -> str:
    """Returns the entry of a tensor in the format of the text of protocol buffers."""
    num_points, dim = tensor.shape
    fields = {
        "tensor_name": json.dumps(name),
        "tensor_path": json.dumps(f"{name}.tsv"),
        "metadata_path": json.dumps(METADATA_NAME),
    }
    lines = [f"  {field}: {value}\n" for field, value in fields.items()]
    lines += [f"  tensor_shape: {size}\n" for size in (num_points, dim)]
    return f"embeddings {{\n{''.join(lines)}}}\n"
