"""The files of a biLM among those of a folder or archive."""

from pathlib import PurePath
from typing import Dict, List, Sequence

import pytest

from allennlp_elmo_plugin.weights.formats import (
    find_bilm_files,
    find_companions,
    find_incomplete,
)

DATA = ".data-00000-of-00001"
CHECKPOINT = ("model.ckpt-5.index", "model.ckpt-5" + DATA, "model.ckpt-5.meta")
HUB = (
    "saved_model.pb",
    "assets/vocab.txt",
    "variables/variables.index",
    "variables/variables.data-00000-of-00002",
    "variables/variables.data-00001-of-00002",
)
MANY_LANGS = ("encoder.pkl", "token_embedder.pkl", "config.json", "char.dic", "word.dic")
TWO = ("a.index", "a" + DATA, "b.index", "b" + DATA)


def _paths(names: Sequence[str]) -> List[PurePath]:
    return [PurePath(name) for name in names]


def _find(key: str, names: Sequence[str], **texts: str) -> List[str]:
    found = find_bilm_files(key, _paths(names), lambda name: texts[str(name).replace("/", "_")])
    return [str(file.name) for file in found]


# For each layout: its names, then the options file and the weights among them.
LAYOUTS: Dict[str, Sequence[Sequence[str]]] = {
    "AllenNLP": (("options.json", "weights.hdf5"), ["options.json"], ["weights.hdf5"]),
    "with another name": (
        ("mimic_wiki.hdf5", "options262.json"),
        ["options262.json"],
        ["mimic_wiki.hdf5"],
    ),
    "SeqVec": (
        ("uniref50_v2/options.json", "uniref50_v2/weights.hdf5"),
        ["uniref50_v2/options.json"],
        ["uniref50_v2/weights.hdf5"],
    ),
    "bio_embeddings": (("options_file", "weights_file"), ["options_file"], ["weights_file"]),
    "NLPL": (
        ("meta.json", "options.json", "model.hdf5", "vocab.txt", "README", *CHECKPOINT),
        ["options.json"],
        ["model.hdf5"],
    ),
    "bilm-tf": (("options.json", *CHECKPOINT), ["options.json"], ["model.ckpt-5.index"]),
    "bilm-tf without options": (CHECKPOINT, ["model.ckpt-5.index"], ["model.ckpt-5.index"]),
    "TF-Hub": (HUB, ["variables/variables.index"], ["variables/variables.index"]),
    "ELMoForManyLangs": (MANY_LANGS, ["config.json"], ["encoder.pkl"]),
    "ELMoForManyLangs in a folder": (
        [f"136/{name}" for name in MANY_LANGS],
        ["136/config.json"],
        ["136/encoder.pkl"],
    ),
    "a trained model": (("config.json", "weights.th", "vocabulary/tokens.txt"), [], []),
    "weights alone": (("weights.hdf5", *MANY_LANGS), [], ["weights.hdf5"]),
    "no parts": (("model.ckpt-5.index", "model.ckpt-6" + DATA), [], []),
    "leftovers": ((".x/weights.hdf5", "__MACOSX/._options.json", "softmax.hdf5"), [], []),
    "two": (TWO, ["a.index", "b.index"], ["a.index", "b.index"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_files_of_a_layout_are_found(layout: str) -> None:
    """The options and the weights of each published layout are found."""
    names, options, weights = LAYOUTS[layout]
    assert _find("options_file", names) == options
    assert _find("weight_file", names) == weights


@pytest.mark.parametrize("path", ["b", "/home/author/run/b", "C:\\run\\b"])
def test_the_latest_checkpoint_is_taken(path: str) -> None:
    """TensorFlow's text names the latest checkpoint, perhaps by its path on another machine."""
    text = f'all_model_checkpoint_paths: "a"\nmodel_checkpoint_path: "{path}"\n'
    assert _find("weight_file", (*TWO, "checkpoint"), checkpoint=text) == ["b.index"]


@pytest.mark.parametrize("text", ["", 'model_checkpoint_path: "c"\n', "\x00"])
def test_a_text_that_names_no_checkpoint_leaves_all(text: str) -> None:
    """If the latest checkpoint is missing, none of the others is taken for it."""
    assert _find("weight_file", (*TWO, "checkpoint"), checkpoint=text) == ["a.index", "b.index"]


def test_the_latest_checkpoint_is_that_of_its_folder() -> None:
    """A text says nothing about another folder."""
    names = [f"x/{name}" for name in (*TWO, "checkpoint")] + ["y/a.index", "y/a" + DATA]
    found = _find("weight_file", names, x_checkpoint='model_checkpoint_path: "a"')
    assert found == ["x/a.index", "y/a.index"]


@pytest.mark.parametrize(
    "main, names, companions",
    [
        ("weights.hdf5", ("options.json", "README", "weights.hdf5"), ("options.json",)),
        ("a.index", (*TWO, "vocab.txt", "ab" + DATA), ("a" + DATA, "vocab.txt")),
        ("variables/variables.index", HUB, (HUB[0], HUB[1], HUB[3], HUB[4])),
        ("encoder.pkl", (*MANY_LANGS, "meta.json"), MANY_LANGS[1:]),
        (
            "136/encoder.pkl",
            [f"{folder}/{name}" for folder in ("136", "137") for name in MANY_LANGS]
            + ["136/configs/cnn_50.json"],
            [f"136/{name}" for name in MANY_LANGS[1:]] + ["136/configs/cnn_50.json"],
        ),
        (
            "[a]/m[0].index",
            ("[a]/m[0].index", "[a]/m[0]" + DATA, "a/m0" + DATA),
            ("[a]/m[0]" + DATA,),
        ),
        ("options.json", ("options.json", "weights.hdf5"), ()),
    ],
)
def test_the_files_that_belong_to_the_main_one_are_found(
    main: str, names: Sequence[str], companions: Sequence[str]
) -> None:
    """Parts, dictionaries and vocabularies belong to the weights of their own model."""
    found = find_companions(PurePath(main), _paths(names))
    assert sorted(map(str, found)) == sorted(companions)


def test_a_file_without_its_companion_is_described() -> None:
    """The description names the file that is missing."""
    names = ("x/encoder.pkl", "model.ckpt-5.index", *TWO, ".hidden/encoder.pkl", "w.hdf5")
    assert list(find_incomplete(_paths(names))) == [
        "'model.ckpt-5.index' lacks 'model.ckpt-5.data-*' beside it",
        "'x/encoder.pkl' lacks 'token_embedder.pkl' beside it",
    ]
