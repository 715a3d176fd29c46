"""
The options of a biLM, read from the `options.json` that bilm-tf writes.

They are checked, and defaults are filled in. Only the keys that shape the network are kept; the
others (training settings) are ignored.
"""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Tuple, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.network.spelling import (
    MAX_CHARACTERS_PER_TOKEN,
    MIN_CHARACTERS_PER_TOKEN,
    NUM_CHARACTERS,
)

__all__ = ["ElmoOptions"]

ACTIVATIONS = ("relu", "tanh")

# After an export, bilm-tf counts the row for id 0 as well.
ACCEPTED_N_CHARACTERS = (NUM_CHARACTERS, NUM_CHARACTERS + 1)


@dataclass(frozen=True)
class ElmoOptions:
    """
    The shape of a biLM: a character CNN, and two stacks of LSTMs with projection.

    # Parameters

    filters : `Tuple[Tuple[int, int], ...]`
        The convolutions of the character CNN, as (width in characters, number of filters).
    projection_dim : `int`
        The size of a word vector and of each LSTM's output, for one direction.
    cell_size : `int`
        The size of each LSTM's cell (`lstm.dim` in the file).
    num_layers : `int`
        The number of LSTM layers in each direction (`lstm.n_layers` in the file).
    char_embedding_dim : `int`, optional (default = `16`)
        The size of a character vector.
    num_highways : `int`, optional (default = `1`)
        The number of highway layers after the convolutions; 0 is allowed.
    activation : `str`, optional (default = `"relu"`)
        The activation function after the max-pooling: `"relu"` or `"tanh"`.
    max_characters_per_token : `int`, optional (default = `50`)
        The number of character ids of a word, its two edges included.
    cell_clip : `float`, optional (default = `None`)
        The largest absolute value of the cell. `None` is off.
    proj_clip : `float`, optional (default = `None`)
        The largest absolute value of the projected output. `None` is off.
    use_skip_connections : `bool`, optional (default = `True`)
        If `True`, a layer's input is added to its output, from the second layer on.
    state_projection : `bool`, optional (default = `True`)
        If `True`, the LSTMs project their output. `False` needs a `cell_size` that equals
        `projection_dim`. The options file does not say; the weight file does (a `W_P_0` or none).
    word_projection : `bool`, optional (default = `True`)
        If `True`, the character CNN projects its output. `False` needs as many filters as
        `projection_dim`. The options file does not say; the weight file does (a `W_proj` or none).
    """

    filters: Tuple[Tuple[int, int], ...]
    projection_dim: int
    cell_size: int
    num_layers: int
    char_embedding_dim: int = 16
    num_highways: int = 1
    activation: str = "relu"
    max_characters_per_token: int = MAX_CHARACTERS_PER_TOKEN
    cell_clip: Optional[float] = None
    proj_clip: Optional[float] = None
    use_skip_connections: bool = True
    state_projection: bool = True
    word_projection: bool = True

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise ConfigurationError("The options of a biLM do not fit: " + "; ".join(problems))

    @property
    def num_filters(self) -> int:
        """The size of the convolutions' output: the sum of all numbers of filters."""
        return sum(number for _, number in self.filters)

    @property
    def num_representations(self) -> int:
        """The number of layers that a scalar mix sees: the token layer and each LSTM layer."""
        return self.num_layers + 1

    @classmethod
    def from_file(cls, path: Union[str, "os.PathLike[str]"]) -> "ElmoOptions":
        """
        Reads an `options.json`.

        # Parameters

        path : `Union[str, PathLike]`
            Path of a local file.

        # Raises

        `ConfigurationError`
            When the file is not JSON, lacks a key, or holds an invalid value. The message names the
            file and every key at fault.
        """
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ConfigurationError(
                f"Expected an ELMo options file in JSON, but '{path}' is not JSON ({error}). "
                "Is it the weight file, or a download that broke off?"
            ) from error
        try:
            return cls.from_dict(content)
        except ConfigurationError as error:
            raise ConfigurationError(f"The ELMo options file '{path}': {error}") from error

    @classmethod
    def from_dict(cls, content: Any) -> "ElmoOptions":
        """
        Reads the content of an `options.json`.

        # Parameters

        content : `Dict[str, Any]`
            Content with the sections `char_cnn` and `lstm`, as bilm-tf writes them.

        # Raises

        `ConfigurationError`
            When a key is missing or a value is invalid. The message names every key at fault.
        """
        reader = _Reader(content)
        n_characters = reader.get("char_cnn.n_characters", int, default=NUM_CHARACTERS + 1)
        if n_characters is not None and n_characters not in ACCEPTED_N_CHARACTERS:
            reader.problems.append(
                f"'char_cnn.n_characters' must be {NUM_CHARACTERS} or {NUM_CHARACTERS + 1}, "
                f"got {n_characters}"
            )
        values: Dict[str, Any] = {
            "filters": reader.filters("char_cnn.filters"),
            "char_embedding_dim": reader.get("char_cnn.embedding.dim", int),
            "num_highways": reader.get("char_cnn.n_highway", int, default=0),
            "activation": reader.get("char_cnn.activation", str),
            "max_characters_per_token": reader.get("char_cnn.max_characters_per_token", int),
            "projection_dim": reader.get("lstm.projection_dim", int),
            "cell_size": reader.get("lstm.dim", int),
            "num_layers": reader.get("lstm.n_layers", int),
            "cell_clip": reader.get("lstm.cell_clip", float, default=None) or None,
            "proj_clip": reader.get("lstm.proj_clip", float, default=None) or None,
            "use_skip_connections": reader.get("lstm.use_skip_connections", bool, default=False),
        }
        if reader.problems:
            raise ConfigurationError("; ".join(reader.problems))
        return cls(**values)

    @classmethod
    def from_fields(cls, fields: Dict[str, Any]) -> "ElmoOptions":
        """
        Restores options from the result of `dataclasses.asdict`, also after a way through JSON.

        # Parameters

        fields : `Dict[str, Any]`
            The fields of an `ElmoOptions`.
        """
        filters = tuple((width, number) for width, number in fields["filters"])
        return cls(**{**fields, "filters": filters})

    def to_dict(self) -> Dict[str, Any]:
        """Returns the content of an `options.json`, as bilm-tf has it after an export."""
        return {
            "char_cnn": {
                "activation": self.activation,
                "embedding": {"dim": self.char_embedding_dim},
                "filters": [list(size) for size in self.filters],
                "max_characters_per_token": self.max_characters_per_token,
                "n_characters": NUM_CHARACTERS + 1,
                "n_highway": self.num_highways,
            },
            "lstm": {
                "cell_clip": self.cell_clip,
                "dim": self.cell_size,
                "n_layers": self.num_layers,
                "proj_clip": self.proj_clip,
                "projection_dim": self.projection_dim,
                "use_skip_connections": self.use_skip_connections,
            },
        }

    def _problems(self) -> List[str]:
        problems = []
        values = asdict(self)
        for name in ("projection_dim", "cell_size", "num_layers", "char_embedding_dim"):
            if values[name] < 1:
                problems.append(f"{name} must be at least 1, got {values[name]}")
        if self.num_highways < 0:
            problems.append(f"num_highways must be at least 0, got {self.num_highways}")
        if self.activation not in ACTIVATIONS:
            problems.append(f"activation must be one of {ACTIVATIONS}, got '{self.activation}'")
        if self.max_characters_per_token < MIN_CHARACTERS_PER_TOKEN:
            problems.append(
                f"max_characters_per_token must be at least {MIN_CHARACTERS_PER_TOKEN}, "
                f"got {self.max_characters_per_token}"
            )
        if not self.filters:
            problems.append("filters must name at least one (width, number) pair, got none")
        for width, number in self.filters:
            if not 1 <= width <= self.max_characters_per_token or number < 1:
                problems.append(
                    f"filters must have widths from 1 to {self.max_characters_per_token} and "
                    f"numbers from 1 up, got ({width}, {number})"
                )
        for name in ("cell_clip", "proj_clip"):
            if values[name] is not None and values[name] <= 0:
                problems.append(f"{name} must be positive or None, got {values[name]}")
        if not self.state_projection and self.cell_size != self.projection_dim:
            problems.append(
                "LSTMs without projection need cell_size and projection_dim to be equal, "
                f"got {self.cell_size} and {self.projection_dim}"
            )
        if not self.word_projection and self.num_filters != self.projection_dim:
            problems.append(
                "a character CNN without projection needs projection_dim filters, "
                f"got {self.num_filters} for {self.projection_dim}"
            )
        return problems


class _Reader:
    """A reader of nested dictionaries that collects every problem with their values."""

    _REQUIRED = object()

    def __init__(self, content: Any) -> None:
        self.content = content
        self.problems: List[str] = []

    def get(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        value = self.content
        for part in key.split("."):
            value = value.get(part, self._REQUIRED) if isinstance(value, dict) else self._REQUIRED
        if value is self._REQUIRED:
            if default is self._REQUIRED:
                self.problems.append(f"'{key}' is missing")
                return None
            return default
        if value is None and default is None:
            return None
        accepted = (int, float) if kind is float else (kind,)
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            self.problems.append(f"'{key}' must be of type {kind.__name__}, got {value!r}")
            return None
        return value

    def filters(self, key: str) -> Tuple[Tuple[int, int], ...]:
        pairs = self.get(key, list) or []
        for pair in pairs:
            if not (
                isinstance(pair, (list, tuple))
                and len(pair) == 2
                and all(isinstance(size, int) and not isinstance(size, bool) for size in pair)
            ):
                self.problems.append(f"'{key}' must hold [width, number] pairs, got {pair!r}")
                return ()
        return tuple((width, number) for width, number in pairs)
