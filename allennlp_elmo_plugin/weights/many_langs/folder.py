"""
The names of the files of an ELMoForManyLangs biLM, which lie in one folder.
"""

from pathlib import Path

__all__ = [
    "CHARACTERS_NAME",
    "CONFIG_NAME",
    "EMBEDDER_NAME",
    "ENCODER_NAME",
    "WORDS_NAME",
    "is_many_langs",
]

CONFIG_NAME = "config.json"
ENCODER_NAME = "encoder.pkl"
EMBEDDER_NAME = "token_embedder.pkl"
CHARACTERS_NAME = "char.dic"
WORDS_NAME = "word.dic"


def is_many_langs(path: Path) -> bool:
    """
    Returns `True` for a file that stands for an ELMoForManyLangs biLM.

    # Parameters

    path : `Path`
        Path of a file.

    # Returns

    `bool`
        `True` for `encoder.pkl`, and for `config.json` beside a `token_embedder.pkl`.
    """
    is_config = path.name == CONFIG_NAME and (path.parent / EMBEDDER_NAME).is_file()
    return is_config or path.name == ENCODER_NAME
