"""
The zip files of the NLPL vectors repository, which simple_elmo reads.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Optional, Union
from zipfile import ZipFile, ZipInfo

from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.language_model.vocabulary import write_vocabulary_file
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.weights import write_weights

__all__ = ["write_nlpl_zip"]

META, OPTIONS, WEIGHTS, VOCABULARY = "meta.json", "options.json", "model.hdf5", "vocab.txt"
SECTIONS = {"char_cnn", "lstm"}
"""Sections of the options of bilm-tf. Another one is for a network that bilm-tf does not have."""
MAX_LAYERS = 8


def write_nlpl_zip(
    path: Union[str, "os.PathLike[str]"],
    bilm: ElmoBilm,
    vocabulary: Optional[Vocabulary] = None,
    namespace: str = "tokens",
) -> None:
    """
    Writes a biLM as a zip file in the layout of the NLPL vectors repository, version 2.0.

    It holds `meta.json`, `options.json`, `model.hdf5` and, if there is a vocabulary, `vocab.txt`.
    Equal models are equal files.

    # Parameters

    path : `Union[str, PathLike]`
        Path of the file. The file appears in one step, when it is complete.
    bilm : `ElmoBilm`
        The biLM.
    vocabulary : `Vocabulary`, optional (default = `None`)
        Words of the language model that the biLM was trained as.
    namespace : `str`, optional (default = `"tokens"`)
        Namespace of the words.

    # Raises

    `ConfigurationError`
        If the readers of this layout cannot run such a biLM, or if a word of the vocabulary
        contains a line break. Nothing is written then.
    `OSError`
        If the file cannot be written, for example because the disk is full.
    """
    _require_readable(bilm.options)
    with write_atomically(Path(path)) as partial:
        folder = partial.parent
        contents = [OPTIONS, WEIGHTS]
        _write_json(folder / OPTIONS, bilm.options.to_dict())
        write_weights(folder / WEIGHTS, bilm.options, bilm.state_dict())
        if vocabulary is not None:
            contents.append(VOCABULARY)
            write_vocabulary_file(folder / VOCABULARY, vocabulary, namespace)
        _write_json(folder / META, _meta(contents, bilm.options, vocabulary, namespace))
        with ZipFile(partial, "w") as archive:
            for name in (META, *contents):
                # Not compressed: weights hardly shrink, and simple_elmo jumps about in them.
                with open(folder / name, "rb") as file, archive.open(
                    ZipInfo(name), "w", force_zip64=True
                ) as member:
                    shutil.copyfileobj(file, member, 1 << 20)


def _require_readable(options: ElmoOptions) -> None:
    """Checks that bilm-tf and simple_elmo build the network that the options describe."""
    problems = [
        f"it has {section!r} beside its character CNN and its LSTMs, as an ELMoForManyLangs model "
        "has its words"
        for section in sorted(set(options.to_dict()) - SECTIONS)
    ]
    # Both choose by these sizes whether there is a projection.
    if options.state_projection and options.cell_size <= options.projection_dim:
        problems.append(
            f"its LSTMs project cells of size {options.cell_size} to {options.projection_dim}, "
            "which is not smaller"
        )
    if options.word_projection and options.num_filters <= options.projection_dim:
        problems.append(
            f"its character CNN projects {options.num_filters} filters to "
            f"{options.projection_dim}, which is not smaller"
        )
    if options.num_layers > MAX_LAYERS:
        problems.append(f"it has {options.num_layers} layers, more than {MAX_LAYERS}")
    if problems:
        raise ConfigurationError(
            "Expected a biLM that simple_elmo can run to write a zip in NLPL's layout, but "
            f"{'; '.join(problems)}. Write a folder instead: give an output without '.zip'."
        )


def _meta(
    contents: List[str], options: ElmoOptions, vocabulary: Optional[Vocabulary], namespace: str
) -> Dict[str, Any]:
    """Returns what the repository tells about a model, as far as it is known."""
    meta: Dict[str, Any] = {
        "algorithm": {"name": "Embeddings from Language Models (ELMo)"},
        "contents": [{"filename": name} for name in contents],
        "dimensions": 2 * options.projection_dim,
    }
    if vocabulary is not None:
        meta["vocabulary size"] = vocabulary.get_vocab_size(namespace)
    return meta


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
