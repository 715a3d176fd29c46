"""
Small biLMs in the layouts in which people publish theirs: names, folders, archives, formats.
"""

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Sequence

import torch

from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.many_langs_files import write_many_langs
from tests.support.tensorflow_bundle import TENSORFLOW_DATA
from tests.support.tensorflow_cases import CASES

__all__ = ["HUB_NAME", "LAYOUTS", "PublishedBilm", "hub_snapshot"]

HUB_NAME = "hf://someone/elmo"
CHECKPOINT = ("checkpoint", "model.ckpt-5.index", "model.ckpt-5.data-00000-of-00001")
WORDS = "<S>\n</S>\n<UNK>\nthe\nrain\n"


class PublishedBilm(NamedTuple):
    """
    A biLM in the layout of a publisher.

    # Parameters

    plain : `Path`
        Folder with the same biLM, as the program that trained it writes it.
    options : `str`
        Location of the options.
    weights : `str`
        Location of the weights, in most layouts the same one.
    """

    plain: Path
    options: str
    weights: str


def hub_snapshot(root: Path) -> Path:
    """Returns the folder that the client of Hugging Face's hub gives for a repository."""
    return root / "hub" / "snapshots" / "1a2b"


def _archived(folder: Path, container: str) -> str:
    if container == "folder":
        return str(folder)
    return shutil.make_archive(str(folder), container, folder)


def _write_others(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(WORDS if "vocab" in name else "{}\n", encoding="utf-8")


def _hdf5(
    root: Path,
    options: str = "options.json",
    weights: str = "weights.hdf5",
    container: str = "folder",
    others: Sequence[str] = (),
    **sizes: Any,
) -> PublishedBilm:
    """Options and HDF5 under names of their own, with other files beside them."""
    content = elmo_options(**sizes)
    plain = write_elmo_files(root / "plain", content, seed=8)
    model = root / "published"
    _write_others(model, (options, weights, *others))
    shutil.copy(plain.weight_file, model / weights)
    # bilm-tf has more in its options than a reader needs.
    training = {"bidirectional": True, "n_tokens_vocab": 28, "unroll_steps": 100}
    (model / options).write_text(json.dumps({**content, **training}))
    return PublishedBilm(root / "plain", *[_archived(model, container)] * 2)


def _one_of_several(root: Path, options: str, weights: str) -> PublishedBilm:
    """Several weights with one options file, so both files are named."""
    found = _hdf5(root, options, weights)
    other = write_elmo_files(root / "other", elmo_options(), seed=9)
    shutil.copy(other.weight_file, root / "published" / "other_weights.hdf5")
    return found._replace(
        options=os.path.join(found.options, options), weights=os.path.join(found.weights, weights)
    )


def _hub(root: Path) -> PublishedBilm:
    """A snapshot of Hugging Face's hub, whose files are links to blobs."""
    found = _hdf5(root, others=("README.md", ".gitattributes", "config.json"))
    snapshot, blobs = hub_snapshot(root), root / "hub" / "blobs"
    snapshot.mkdir(parents=True)
    shutil.copytree(found.options, blobs)
    for blob in blobs.iterdir():
        (snapshot / blob.name).symlink_to(Path("../../blobs") / blob.name)
    return found._replace(options=HUB_NAME, weights=HUB_NAME)


def _tensorflow(
    root: Path, name: str, container: str = "folder", others: Sequence[str] = (), prefix: str = ""
) -> PublishedBilm:
    """Files that TensorFlow wrote. The plain folder has the same weights in HDF5."""
    case = CASES[name]
    write_elmo_files(root / "plain", case.options, case.datasets)
    model = root / "published"
    shutil.copytree(TENSORFLOW_DATA / name.split("/")[0], model)
    _write_others(model, others)
    location = _archived(model, container)
    return PublishedBilm(root / "plain", *[os.path.join(location, prefix)] * 2)


def _many_langs(
    root: Path,
    container: str = "folder",
    inner: str = ".",
    has_config: bool = True,
    is_new: bool = False,
) -> PublishedBilm:
    """ELMoForManyLangs, perhaps without the config of the network, or from a newer PyTorch."""
    write_many_langs(root / "plain")
    model = root / "published" / inner
    write_many_langs(model, has_config=has_config)
    _write_others(model, ("meta.json", "README"))
    for path in model.glob("*.pkl") if is_new else ():
        torch.save(torch.load(path), path)
    return PublishedBilm(root / "plain", *[_archived(root / "published", container)] * 2)


NLPL = partial(
    _hdf5,
    weights="model.hdf5",
    container="zip",
    others=("meta.json", "vocab.txt", "README", *CHECKPOINT),
)
LAYOUTS: Dict[str, Callable[[Path], PublishedBilm]] = {
    "AllenNLP": partial(
        _hdf5,
        options="elmo_2x1024_128_2048cnn_1xhighway_options.json",
        weights="elmo_2x1024_128_2048cnn_1xhighway_weights.hdf5",
    ),
    "AllenNLP, with a softmax": partial(
        _hdf5,
        options="elmo_2x4096_512_2048cnn_2xhighway_options.json",
        weights="elmo_2x4096_512_2048cnn_2xhighway_weights.hdf5",
        others=("elmo_2x4096_512_2048cnn_2xhighway_softmax_weights.hdf5", "vocab-2016-09-10.txt"),
        n_highway=2,
    ),
    "PubMed": partial(
        _hdf5,
        options="elmo_2x4096_512_2048cnn_2xhighway_options.json",
        weights="elmo_2x4096_512_2048cnn_2xhighway_weights_PubMed_only.hdf5",
    ),
    "Portuguese": partial(_hdf5, weights="elmo_pt_weights_dgx1.hdf5"),
    "Japanese, German, Basque": _hdf5,
    "French": partial(
        _hdf5,
        options="elmo_fr_020_options.json",
        weights="elmo_fr_020_weights.hdf5",
        container="zip",
    ),
    "Hugging Face's hub": _hub,
    "Hugging Face's hub, zip": partial(_hdf5, container="zip", others=("config.json",)),
    "SeqVec": partial(
        _hdf5,
        options="uniref50_v2/options.json",
        weights="uniref50_v2/weights.hdf5",
        container="zip",
        n_highway=2,
    ),
    "bio_embeddings": partial(_hdf5, options="options_file", weights="weights_file"),
    "catELMo": partial(_hdf5, container="zip", n_layers=4),
    "BioELMo": partial(
        _hdf5,
        options="biomed_elmo_options.json",
        weights="biomed_elmo_weights.hdf5",
        others=("vocabulary.txt",),
    ),
    "clinical": partial(
        _hdf5,
        options="elmo/options.json",
        weights="elmo/mimic_wiki.hdf5",
        container="gztar",
        others=("._elmo",),
    ),
    "CrossLingualELMo": partial(_one_of_several, options="options262.json", weights="es.hdf5"),
    "NLPL 2.0": NLPL,
    "NLPL 2.0, shorter words": partial(NLPL, max_characters=30),
    "EMBEDDIA": partial(_hdf5, weights="slovenian-elmo-weights.hdf5"),
    "RusVectores": partial(NLPL, container="gztar"),
    "bilm-tf": partial(_tensorflow, name="trained/model.ckpt-12", others=("vocab.txt",)),
    "bilm-tf, zip": partial(_tensorflow, name="trained/model.ckpt-12", container="zip"),
    "bilm-tf, prefix": partial(
        _tensorflow,
        name="trained/model.ckpt-12",
        others=("model.ckpt-6.index", "model.ckpt-6.data-00000-of-00001"),
        prefix="model.ckpt-12",
    ),
    "bilm-tf, several parts": partial(_tensorflow, name="sharded/model.ckpt-12"),
    "bilm-tf, one layer": partial(_tensorflow, name="one_layer/model.ckpt-12"),
    "TF-Hub": partial(_tensorflow, name="hub/variables/variables", others=("tfhub_module.pb",)),
    "DeepPavlov": partial(
        _tensorflow,
        name="hub/variables/variables",
        container="gztar",
        others=("assets/vocab.txt", "tfhub_module.pb"),
    ),
    "ELMoForManyLangs": _many_langs,
    "ELMoForManyLangs, no config": partial(_many_langs, has_config=False),
    "ELMoForManyLangs, new PyTorch": partial(_many_langs, is_new=True),
    "NLPL 1.1": partial(_many_langs, container="zip", has_config=False),
    "ELMoForManyLangs, bzip2": partial(_many_langs, container="bztar", inner="zhs.model"),
    "ELMoForManyLangs, xz": partial(
        _many_langs, container="xztar", inner="zhs.model", has_config=False, is_new=True
    ),
}
"""
Functions that write a biLM below a folder, by the names of the layouts.

The names of files are those that publishers use, as far as they are known.
"""
