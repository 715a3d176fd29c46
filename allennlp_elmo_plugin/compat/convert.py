"""
Writing a biLM in the layouts that other ELMo programs read.
"""

import os
from pathlib import Path
from typing import Optional, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.compat.nlpl import write_nlpl_zip
from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.extraction.output_paths import require_output_path, require_unread
from allennlp_elmo_plugin.io.atomic import write_together
from allennlp_elmo_plugin.language_model.export import warn_of_rounding
from allennlp_elmo_plugin.language_model.vocabulary import BilmVocabulary, write_vocabulary_file
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.weights import has_softmax, read_softmax, write_softmax
from allennlp_elmo_plugin.weights.tensorflow import is_checkpoint

__all__ = ["convert_model"]

Location = Union[str, "os.PathLike[str]"]
Softmax = Tuple[torch.Tensor, torch.Tensor]
NAMESPACE = "tokens"
OPTIONS, VOCABULARY, SOFTMAX = "options.json", "vocabulary.txt", "softmax.hdf5"
FILES = (OPTIONS, "weights.hdf5", VOCABULARY, SOFTMAX)


def convert_model(
    model: Location,
    output: Location,
    weight_file: Optional[Location] = None,
    module: Optional[str] = None,
    vocabulary: Optional[Location] = None,
    softmax: Optional[Location] = None,
) -> None:
    """
    Reads a model in any layout and writes its biLM in another one.

    A path that ends in `.zip` gets a zip in NLPL's layout: `meta.json`, `options.json`,
    `model.hdf5` and `vocab.txt`. Any other path gets a folder in bilm-tf's layout: `options.json`,
    `weights.hdf5`, `vocabulary.txt` and `softmax.hdf5`. Vocabulary and softmax are there if they
    are given. With a vocabulary, a checkpoint of bilm-tf gives its own softmax.

    # Parameters

    model, weight_file, module :
        As for `load_elmo`: the files or the name of a biLM, or a trained model.
    output : `Union[str, PathLike]`
        Path of the zip or the folder. Files of the same names are replaced, all together.
    vocabulary : `Union[str, PathLike]`, optional (default = `None`)
        Path or URL of the model's vocabulary, a text file with one word a line.
    softmax : `Union[str, PathLike]`, optional (default = `None`)
        Path or URL of the model's softmax. It needs the vocabulary, and has a row for each word.

    # Raises

    `ConfigurationError`
        If a file is missing, damaged or does not fit, if the layout cannot hold the model, or if
        the folder has a TensorFlow checkpoint. Nothing is written then.
    `OSError`
        If the output cannot be written. What was there before then stays as it was.
    """
    path = Path(output)
    is_zip = path.suffix.lower() == ".zip"
    _require_parts_fit(is_zip, vocabulary, softmax)
    if is_zip:
        require_output_path(path)
    written = [path] if is_zip else [path, *(path / name for name in FILES)]
    read = [model, weight_file, vocabulary, softmax]
    require_unread(written, [None if each is None else os.fspath(each) for each in read])
    _require_no_checkpoint(path)
    words = None if vocabulary is None else BilmVocabulary.from_vocabulary_file(str(vocabulary))
    loaded = load_elmo(model, weight_file, module=module)
    bilm = loaded.encoder.bilm
    warn_of_rounding(bilm, str(model))
    if is_zip:
        write_nlpl_zip(path, bilm, words, NAMESPACE)
        return
    rows = None
    if words is not None and softmax is None:
        softmax = _softmax_of(loaded.weight_file)
    if words is not None and softmax is not None:
        size = words.get_vocab_size(NAMESPACE)
        rows = read_softmax(softmax, size, bilm.options.projection_dim)
    _write_folder(path, bilm, words, rows)


def _require_parts_fit(
    is_zip: bool, vocabulary: Optional[Location], softmax: Optional[Location]
) -> None:
    if softmax is None:
        return
    if is_zip:
        raise ConfigurationError(
            "Got a softmax for a zip in NLPL's layout, which has no place for one. Leave it out, "
            "or write a folder: give an output without '.zip'."
        )
    if vocabulary is None:
        raise ConfigurationError(
            "Got a softmax without the vocabulary that says which word a row belongs to. Give the "
            "vocabulary too (on the command line by --vocabulary)."
        )


def _require_no_checkpoint(folder: Path) -> None:
    found = sorted(folder.glob("*.index")) if folder.is_dir() else []
    if found:
        raise ConfigurationError(
            f"Expected a folder without a TensorFlow checkpoint, but '{folder}' has "
            f"'{found[0].name}', whose '{OPTIONS}' would be replaced. Name another folder."
        )


def _softmax_of(weight_file: Optional[Path]) -> Optional[Path]:
    """Returns the path of a checkpoint that holds the softmax beside the weights."""
    is_one = weight_file is not None and is_checkpoint(weight_file) and has_softmax(weight_file)
    return weight_file if is_one else None


def _write_folder(
    folder: Path, bilm: ElmoBilm, words: Optional[BilmVocabulary], softmax: Optional[Softmax]
) -> None:
    with write_together(folder, last=OPTIONS) as partial:
        if words is not None:
            write_vocabulary_file(partial / VOCABULARY, words, NAMESPACE)
        if softmax is not None:
            write_softmax(partial / SOFTMAX, *softmax)
        bilm.to_folder(partial)
