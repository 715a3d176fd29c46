"""
The models in `tests/fixtures/tensorflow`, which TensorFlow wrote.

This module needs NumPy alone: `tests/tools/tensorflow_files.py` imports it where TensorFlow is
installed, and the tests where it is not. The numbers are multiples of 2 ** -10, so each machine
draws the same bits.
"""

from typing import Any, Dict, Iterator, NamedTuple, Tuple

import numpy

__all__ = ["CASES", "TensorFlowCase", "trained_case"]

Arrays = Dict[str, numpy.ndarray]
Shape = Tuple[int, ...]

NUM_WORDS = 7


class TensorFlowCase(NamedTuple):
    """
    One model.

    # Parameters

    options : `Dict[str, Any]`
        Content of the `options.json`, as bilm-tf has it during training.
    datasets : `Dict[str, numpy.ndarray]`
        Weights by their names in bilm-tf's HDF5 files.
    variables : `Dict[str, numpy.ndarray]`
        All variables by their names in the checkpoint.
    """

    options: Dict[str, Any]
    datasets: Arrays
    variables: Arrays


def _options(**changes: Any) -> Dict[str, Any]:
    cnn = {
        "activation": "relu",
        "embedding": {"dim": 2},
        "filters": [[1, 2], [2, 3]],
        "max_characters_per_token": 50,
        "n_characters": 261,
        "n_highway": 2,
    }
    lstm = {
        "cell_clip": 3,
        "dim": 4,
        "n_layers": 2,
        "proj_clip": 3,
        "projection_dim": 3,
        "use_skip_connections": True,
    }
    for section in (cnn, lstm):
        section.update({key: value for key, value in changes.items() if key in section})
    return {"bidirectional": True, "char_cnn": cnn, "lstm": lstm, "n_tokens_vocab": NUM_WORDS}


def _shapes(options: Dict[str, Any]) -> Iterator[Tuple[str, Shape]]:
    """Yields the datasets that bilm-tf has for these options."""
    cnn, lstm = options["char_cnn"], options["lstm"]
    dim, cell, char_dim = lstm["projection_dim"], lstm["dim"], cnn["embedding"]["dim"]
    size = sum(number for _, number in cnn["filters"])
    yield "char_embed", (261, char_dim)
    for i, (width, number) in enumerate(cnn["filters"]):
        yield f"CNN/W_cnn_{i}", (1, width, char_dim, number)
        yield f"CNN/b_cnn_{i}", (number,)
    for k in range(cnn["n_highway"]):
        for gate in ("carry", "transform"):
            yield f"CNN_high_{k}/W_{gate}", (size, size)
            yield f"CNN_high_{k}/b_{gate}", (size,)
    if size != dim:
        yield "CNN_proj/W_proj", (size, dim)
        yield "CNN_proj/b_proj", (dim,)
    for i in range(2):
        for k in range(lstm["n_layers"]):
            group = f"RNN_{i}/RNN/MultiRNNCell/Cell{k}/LSTMCell/"
            yield group + "W_0", (2 * dim, 4 * cell)
            yield group + "B", (4 * cell,)
            if cell != dim:
                yield group + "W_P_0", (cell, dim)


def _draw(random: numpy.random.RandomState, shape: Shape) -> numpy.ndarray:
    return (random.randint(-2048, 2048, shape) / 1024).astype("float32")


def _variable_name(dataset: str, cell: str) -> str:
    """Returns the name of a variable; `cell` is the path of a direction's k-th LSTM."""
    if not dataset.startswith("RNN_"):
        return dataset
    direction, _, _, layer, _, weight = dataset.split("/")
    kind = {"W_0": "kernel", "B": "bias", "W_P_0": "projection/kernel"}[weight]
    return f"{direction}/{cell.format(k=layer[len('Cell') :])}/lstm_cell/{kind}"


def trained_case(
    options: Dict[str, Any], datasets: Arrays, cell: str = "rnn/multi_rnn_cell/cell_{k}"
) -> TensorFlowCase:
    """Returns a model with the names that bilm-tf's training gives to its weights."""
    weights = {"lm/" + _variable_name(name, cell): array for name, array in datasets.items()}
    return TensorFlowCase(options, datasets, weights)


def _trained(seed: int, cell: str, **changes: Any) -> TensorFlowCase:
    """A checkpoint of a training run, with everything that bilm-tf saves in it."""
    random = numpy.random.RandomState(seed)
    options = _options(**changes)
    datasets = {name: _draw(random, shape) for name, shape in _shapes(options)}
    weights = dict(trained_case(options, datasets, cell).variables)
    dim = options["lstm"]["projection_dim"]
    weights["lm/softmax/W"] = _draw(random, (NUM_WORDS, dim))
    weights["lm/softmax/b"] = _draw(random, (NUM_WORDS,))
    slots = {name + "/Adagrad": _draw(random, array.shape) for name, array in weights.items()}
    others = {
        "global_step": numpy.array(12, "int64"),
        "train_perplexity": numpy.array(40.5, "float32"),
    }
    return TensorFlowCase(options, datasets, {**weights, **slots, **others})


def _hub(seed: int) -> TensorFlowCase:
    """A module of TF-Hub, whose `char_embed` begins with a row of zeros for padding."""
    random = numpy.random.RandomState(seed)
    options = _options(n_highway=1)
    datasets = {name: _draw(random, shape) for name, shape in _shapes(options)}
    variables = {
        "bilm/" + _variable_name(name, "RNN/MultiRNNCell/Cell{k}/rnn"): array
        for name, array in datasets.items()
    }
    variables["bilm/char_embed"] = numpy.concatenate(
        [numpy.zeros((1, 2), "float32"), datasets["char_embed"]]
    )
    variables["aggregation/weights"] = numpy.zeros(3, "float32")
    variables["aggregation/scaling"] = numpy.array(1.0, "float32")
    return TensorFlowCase(options, datasets, variables)


CASES = {
    "trained/model.ckpt-12": _trained(1, "rnn/multi_rnn_cell/cell_{k}"),
    "sharded/model.ckpt-12": _trained(2, "rnn/multi_rnn_cell/cell_{k}", n_highway=1),
    "one_layer/model.ckpt-12": _trained(
        3, "rnn", n_layers=1, n_highway=0, filters=[[1, 1], [3, 2]], dim=3
    ),
    "hub/variables/variables": _hub(4),
}
"""The models by their prefix below `tests/fixtures/tensorflow`."""
