"""
Writes `tests/fixtures/tensorflow` with TensorFlow, from the arrays of `tensorflow_cases.py`.

One more model is that of `tests/fixtures/simple_elmo_plain.npz`, so that a checkpoint can be
compared with simple_elmo's numbers.

TensorFlow is not among the requirements of the tests. To write the files anew:

    python3.11 -m venv tensorflow && tensorflow/bin/pip install tensorflow-cpu==2.21.0
    rm -r tests/fixtures/tensorflow
    export PYTHONPATH=tests/support
    tensorflow/bin/python tests/tools/tensorflow_files.py tests/fixtures/tensorflow
"""

import json
import sys
from pathlib import Path
from typing import Any

import tensorflow.compat.v1 as tf
from elmo_files import elmo_arrays, elmo_options
from tensorflow_cases import CASES, TensorFlowCase, trained_case

OF_SIMPLE_ELMO = trained_case(elmo_options(), elmo_arrays(elmo_options(), seed=6))


def main(root: Path) -> None:
    """Writes every model below a folder."""
    tf.disable_v2_behavior()
    for name, case in {**CASES, "simple_elmo/model.ckpt-6": OF_SIMPLE_ELMO}.items():
        prefix = root / name
        # Several devices make several shards.
        config = tf.ConfigProto(device_count={"CPU": 3})
        with tf.Graph().as_default(), tf.Session(config=config) as session:
            is_sharded = name.startswith("sharded")
            _make_variables(session, case, devices=3 if is_sharded else 1)
            if name.startswith("hub"):
                _save_hub_module(session, prefix.parent.parent)
                continue
            prefix.parent.mkdir(parents=True)
            (prefix.parent / "options.json").write_text(json.dumps(case.options, indent=2) + "\n")
            saver = tf.train.Saver(tf.global_variables(), sharded=is_sharded)
            saver.save(session, str(prefix), write_meta_graph=False)


def _make_variables(session: Any, case: TensorFlowCase, devices: int) -> None:
    for number, (name, array) in enumerate(case.variables.items()):
        with tf.device(f"/cpu:{number % devices}"):
            # References are what TensorFlow 1.2 made by default.
            variable = tf.get_variable(
                name, array.shape, array.dtype, use_resource=False, trainable=False
            )
            variable.load(array, session)


def _save_hub_module(session: Any, folder: Path) -> None:
    builder = tf.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(session, [])
    builder.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
