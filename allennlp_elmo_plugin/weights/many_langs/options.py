"""
The options of an ELMoForManyLangs biLM, from its config and its dictionaries.
"""

import logging
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Dict

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.json_file import read_json
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.spelling import Dictionary
from allennlp_elmo_plugin.weights.many_langs.dictionary_file import read_dictionary_file
from allennlp_elmo_plugin.weights.many_langs.folder import (
    CHARACTERS_NAME,
    CONFIG_NAME,
    WORDS_NAME,
)

__all__ = ["many_langs_options"]

logger = logging.getLogger(__name__)

# Published models name one of these two configs and lack the file. Both have the same content.
SHIPPED_NAMES = ("cnn_50_100_512_4096_sample.json", "cnn_0_100_512_4096_sample.json")
SHIPPED: Dict[str, Dict[str, Any]] = {
    "encoder": {
        "name": "elmo",
        "projection_dim": 512,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 4096,
        "n_layers": 2,
    },
    "token_embedder": {
        "name": "cnn",
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 2,
        "word_dim": 100,
        "char_dim": 50,
        "max_characters_per_token": 50,
    },
}

EXPECTED_KINDS = {"encoder": "elmo", "token_embedder": "cnn"}

CHARACTER_KEYS = ("activation", "filters", "max_characters_per_token", "n_highway")
LSTM_KEYS = ("cell_clip", "dim", "n_layers", "proj_clip", "projection_dim")


def many_langs_options(folder: Path) -> ElmoOptions:
    """
    Reads the options of an ELMoForManyLangs biLM, without its weights.

    # Parameters

    folder : `Path`
        Folder with `config.json`, `char.dic` and `word.dic`. The config of the network that
        `config.json` names lies there, too, or is one of the two that ELMoForManyLangs ships.

    # Returns

    `ElmoOptions`
        The options, with the dictionary.

    # Raises

    `ConfigurationError`
        If a file is missing or damaged, or if the biLM has another architecture.
    """
    config_path = folder / CONFIG_NAME
    config = _read_network_config(folder, config_path)
    dictionary = _read_dictionary(folder)
    for section, expected in EXPECTED_KINDS.items():
        kind = config[section].get("name")
        if kind != expected:
            raise ConfigurationError(
                f"Expected the {section} '{expected}' in the config that '{config_path}' names, "
                f"got {kind!r:.100}. The biLM has another architecture than ELMo, and is not "
                "supported. Published models of ELMoForManyLangs are."
            )
    try:
        options = ElmoOptions.from_dict(_as_options(config, dictionary))
        return replace(options, dictionary=dictionary)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The config that '{config_path}' names, as ELMo options: {error}"
        ) from error


def _read_dictionary(folder: Path) -> Dictionary:
    ids = [read_dictionary_file(folder / name) for name in (WORDS_NAME, CHARACTERS_NAME)]
    try:
        return Dictionary.from_ids(*ids)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"'{WORDS_NAME}' and '{CHARACTERS_NAME}' in '{folder}': {error}"
        ) from error


def _read_network_config(folder: Path, config_path: Path) -> Dict[str, Dict[str, Any]]:
    arguments = read_json(config_path, "the arguments of an ELMoForManyLangs training")
    name = arguments.get("config_path") if isinstance(arguments, dict) else None
    if not isinstance(name, str) or not name:
        raise ConfigurationError(
            f"Expected the name of a config as 'config_path' in '{config_path}', got "
            f"{name!r:.100}. Restore the file."
        )
    # Often an absolute path of the authors' machine.
    base = PureWindowsPath(name).name
    relative = PurePosixPath(name)
    is_inside = not relative.is_absolute() and ".." not in relative.parts
    for path in (*((folder / relative,) if is_inside else ()), folder / base):
        if path.is_file():
            return _require_sections(path, read_json(path, "the config of a biLM"))
    if base in SHIPPED_NAMES:
        logger.info(
            "'%s' names '%s', which '%s' lacks: it is the one that ELMoForManyLangs ships.",
            config_path,
            base,
            folder,
        )
        return SHIPPED
    raise ConfigurationError(
        f"'{config_path}' names the config '{base}', but '{folder}' has no such file. Expected it "
        f"there, or one of the configs that ELMoForManyLangs ships: {', '.join(SHIPPED_NAMES)}. "
        "Put the config beside the weights."
    )


def _require_sections(path: Path, config: Any) -> Dict[str, Dict[str, Any]]:
    for section in EXPECTED_KINDS:
        if not isinstance(config, dict) or not isinstance(config.get(section), dict):
            raise ConfigurationError(
                f"Expected the config of an ELMoForManyLangs biLM with the sections "
                f"{', '.join(EXPECTED_KINDS)} in '{path}', but '{section}' is missing."
            )
    return config


def _as_options(config: Dict[str, Dict[str, Any]], dictionary: Dictionary) -> Dict[str, Any]:
    """Returns the content of an options file. What the config lacks is missing there, too."""
    encoder, embedder = config["encoder"], config["token_embedder"]
    sizes = {"n_characters": dictionary.num_characters, "n_words": dictionary.num_words}
    return {
        "char_cnn": {
            "embedding": _renamed(embedder, "char_dim", "dim"),
            **{key: embedder[key] for key in CHARACTER_KEYS if key in embedder},
        },
        "lstm": {
            "use_skip_connections": True,
            **{key: encoder[key] for key in LSTM_KEYS if key in encoder},
        },
        "dictionary": {**sizes, "word_embedding": _renamed(embedder, "word_dim", "dim")},
    }


def _renamed(section: Dict[str, Any], key: str, name: str) -> Dict[str, Any]:
    return {name: section[key]} if key in section else {}
