"""
The options of a biLM, read from the `options.json` that bilm-tf writes.

They are checked, and defaults are filled in. Only the keys that shape the network are kept; the
others (training settings) are ignored.
"""

import os
import reprlib
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.json_file import read_json
from allennlp_elmo_plugin.network.spelling import (
    MAX_CHARACTERS_PER_TOKEN,
    MIN_CHARACTERS_PER_TOKEN,
    NUM_CHARACTERS,
    ByteSpelling,
    Dictionary,
    DictionarySpelling,
    Spelling,
)

__all__ = ["ElmoOptions"]

ACTIVATIONS = ("relu", "tanh")

SIZES = {
    "projection_dim": (1, 1 << 20),
    "cell_size": (1, 1 << 20),
    "num_layers": (1, 1000),
    "char_embedding_dim": (1, 1 << 20),
    "num_highways": (0, 1000),
    "max_characters_per_token": (MIN_CHARACTERS_PER_TOKEN, 10_000),
    "num_characters": (1, 1 << 24),
    "num_words": (0, 1 << 24),
    "word_embedding_dim": (0, 1 << 20),
}
"""Smallest and largest value of each size. A wrong file fails here, not when memory runs out."""

SWITCHES = ("use_skip_connections", "state_projection", "word_projection")

MAX_CONVOLUTIONS = 1000
MAX_FILTERS = 1 << 20
MAX_PARAMETERS = 1 << 31
"""About 23 times as many as the largest published biLM has."""

CLIPS = (2.0**-126, 2.0**127)
"""Smallest and largest clip. The kernels compute in float32."""


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
    num_characters : `int`, optional (default = `261`)
        The number of character vectors. Only a biLM with a dictionary has another.
    num_words : `int`, optional (default = `0`)
        The number of word vectors, 0 for a biLM without a dictionary.
    word_embedding_dim : `int`, optional (default = `0`)
        The size of a word vector of the dictionary, 0 without one.
    dictionary : `Dictionary`, optional (default = `None`)
        The words and characters, if `num_words` is not 0. The options file does not say; the weight
        file does.
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
    # Digests of biLMs without a dictionary are older than these fields, and read the repr.
    num_characters: int = field(default=NUM_CHARACTERS, repr=False)
    num_words: int = field(default=0, repr=False)
    word_embedding_dim: int = field(default=0, repr=False)
    dictionary: Optional[Dictionary] = field(default=None, repr=False)

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

    @property
    def spelling(self) -> Spelling:
        """
        The way to spell words for this biLM.

        It is a `ConfigurationError` to ask for it while the dictionary is missing.
        """
        if not self.num_words:
            return ByteSpelling(self.max_characters_per_token)
        if self.dictionary is None:
            raise ConfigurationError(
                f"The options name a dictionary of {self.num_words} words, but they do not hold "
                "it: it is in the weight file. Load the biLM from both files."
            )
        return DictionarySpelling(self.dictionary, self.max_characters_per_token)

    @classmethod
    def from_file(cls, path: Union[str, "os.PathLike[str]"]) -> "ElmoOptions":
        """
        Reads an `options.json`.

        # Parameters

        path : `Union[str, PathLike]`
            Path of a local file.

        # Raises

        `ConfigurationError`
            When the file is not a regular file of JSON, lacks a key, or holds an invalid value. The
            message names the file and every key at fault.
        """
        content = read_json(path, "ELMo options")
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
        dictionary = reader.dictionary("dictionary")
        num_characters = dictionary.get("num_characters", NUM_CHARACTERS)
        # After an export, bilm-tf counts the row for id 0 as well.
        accepted = (num_characters, num_characters + 1)
        n_characters = reader.get("char_cnn.n_characters", int, default=num_characters + 1)
        if n_characters is not None and n_characters not in accepted:
            reader.problems.append(
                f"'char_cnn.n_characters' must be {accepted[0]} or {accepted[1]}, "
                f"got {_SHOWN.repr(n_characters)}"
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
            **dictionary,
        }
        if reader.problems:
            raise ConfigurationError("; ".join(reader.problems))
        return cls(**values)

    @classmethod
    def from_fields(cls, content: Any) -> "ElmoOptions":
        """
        Restores options from the result of `dataclasses.asdict`, also after a way through JSON.

        # Parameters

        content : `Dict[str, Any]`
            The fields of an `ElmoOptions`.

        # Raises

        `ConfigurationError`
            When these are not the fields of an `ElmoOptions`, or a value is invalid.
        """
        known = {each.name: each.default is MISSING for each in fields(cls)}
        found = set(content) if isinstance(content, dict) else set()
        missing = [name for name, is_required in known.items() if is_required and name not in found]
        if missing or found - set(known):
            raise ConfigurationError(
                f"Expected the fields {list(known)} of a biLM's options, got "
                f"{_SHOWN.repr(content)}."
            )
        content = {**content, "dictionary": _dictionary_of(content.get("dictionary"))}
        pairs = content["filters"]
        if isinstance(pairs, (list, tuple)):
            pairs = tuple(tuple(pair) if isinstance(pair, list) else pair for pair in pairs)
        return cls(**{**content, "filters": pairs})

    def to_dict(self) -> Dict[str, Any]:
        """
        Returns the content of an `options.json`, as bilm-tf has it after an export.

        A biLM with a dictionary has one more section, `dictionary`, with its sizes.
        """
        dictionary = {
            "n_characters": self.num_characters,
            "n_words": self.num_words,
            "word_embedding": {"dim": self.word_embedding_dim},
        }
        return {
            **({"dictionary": dictionary} if self.num_words else {}),
            "char_cnn": {
                "activation": self.activation,
                "embedding": {"dim": self.char_embedding_dim},
                "filters": [list(size) for size in self.filters],
                "max_characters_per_token": self.max_characters_per_token,
                "n_characters": self.num_characters + 1,
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
        problems = [*self._type_problems(), *self._filter_type_problems()]
        if problems:
            return problems
        problems = [
            *self._size_problems(),
            *self._filter_problems(),
            *self._dictionary_problems(),
            *self._clip_problems(),
        ]
        if self.activation not in ACTIVATIONS:
            problems.append(
                f"activation must be one of {ACTIVATIONS}, got {_SHOWN.repr(self.activation)}"
            )
        return problems or self._fit_problems()

    def _type_problems(self) -> Iterator[str]:
        kinds: Dict[str, Tuple[type, str]] = {
            **dict.fromkeys(SIZES, (Integral, "int")),
            **dict.fromkeys(("cell_clip", "proj_clip"), (Real, "float")),
            **dict.fromkeys(SWITCHES, (bool, "bool")),
            "activation": (str, "str"),
            "dictionary": (Dictionary, "Dictionary"),
        }
        for name, (kind, expected) in kinds.items():
            value = getattr(self, name)
            if kind in (Real, Dictionary) and value is None:
                continue
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                yield f"{name} must be of type {expected}, got {_SHOWN.repr(value)}"

    def _filter_type_problems(self) -> Iterator[str]:
        pairs = self.filters if isinstance(self.filters, tuple) else (self.filters,)
        for pair in pairs:
            if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and all(map(_is_int, pair))):
                yield f"filters must hold (width, number) pairs, got {_SHOWN.repr(pair)}"
                return

    def _size_problems(self) -> Iterator[str]:
        for name, (smallest, largest) in SIZES.items():
            value = getattr(self, name)
            if not smallest <= value <= largest:
                bound = f"at least {smallest}" if value < smallest else f"at most {largest}"
                yield f"{name} must be {bound}, got {_SHOWN.repr(value)}"

    def _filter_problems(self) -> Iterator[str]:
        if not 1 <= len(self.filters) <= MAX_CONVOLUTIONS:
            yield (
                f"filters must name at least one (width, number) pair and at most "
                f"{MAX_CONVOLUTIONS}, got {len(self.filters) or 'none'}"
            )
            return
        for width, number in self.filters:
            if not 1 <= width <= self.max_characters_per_token or number < 1:
                yield (
                    f"filters must have widths from 1 to {self.max_characters_per_token} and "
                    f"numbers from 1 up, got {_SHOWN.repr((width, number))}"
                )
        if self.num_filters > MAX_FILTERS:
            yield (
                f"filters must be at most {MAX_FILTERS} together, got "
                f"{_SHOWN.repr(self.num_filters)}"
            )

    def _dictionary_problems(self) -> Iterator[str]:
        if bool(self.num_words) != bool(self.word_embedding_dim):
            yield (
                "num_words and word_embedding_dim must both be 0 or both be more, got "
                f"{self.num_words} and {self.word_embedding_dim}"
            )
        if not self.num_words and self.num_characters != NUM_CHARACTERS:
            yield (
                f"num_characters must be {NUM_CHARACTERS} without a dictionary, got "
                f"{self.num_characters}"
            )
        if self.num_words and not (self.state_projection and self.word_projection):
            yield "a biLM with a dictionary must have state_projection and word_projection"
        if self.dictionary is not None:
            for name in ("num_words", "num_characters"):
                value, found = getattr(self, name), getattr(self.dictionary, name)
                if value != found:
                    yield f"{name} is {value}, but the dictionary has {found} entries"

    def _clip_problems(self) -> Iterator[str]:
        for name in ("cell_clip", "proj_clip"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                yield f"{name} must be positive or None, got {_SHOWN.repr(value)}"
            # Only this way round is NaN refused.
            elif value is not None and not CLIPS[0] <= value <= CLIPS[1]:
                yield (
                    f"{name} must be from {CLIPS[0]:.3g} to {CLIPS[1]:.3g} or None, got "
                    f"{_SHOWN.repr(value)}"
                )

    def _fit_problems(self) -> List[str]:
        problems = []
        if self._num_parameters > MAX_PARAMETERS:
            problems.append(
                f"the sizes must make at most {MAX_PARAMETERS} parameters, got "
                f"{self._num_parameters}"
            )
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

    @property
    def _num_parameters(self) -> int:
        """The number of weights, without those of biases."""
        size, dim, cells = self.num_filters, self.projection_dim, self.cell_size
        convolutions = sum(width * number for width, number in self.filters)
        char_cnn = (
            self.num_characters * self.char_embedding_dim
            + self.num_words * self.word_embedding_dim
            + self.word_embedding_dim * dim
            + convolutions * self.char_embedding_dim
            + self.num_highways * 2 * size * size
            + self.word_projection * size * dim
        )
        layer = 8 * cells * dim + self.state_projection * cells * dim
        return char_cnn + 2 * self.num_layers * layer


MAX_SHOWN = 100


class _Shown(reprlib.Repr):
    """A `repr` of bounded length."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = MAX_SHOWN

    def repr(self, value: Any) -> str:
        return super().repr(value)[: 2 * MAX_SHOWN]

    def repr_int(self, value: int, level: int) -> str:
        # Python refuses to convert longer integers.
        if value.bit_length() > 4096:
            return f"an integer of {value.bit_length()} bits"
        return super().repr_int(value, level)


_SHOWN = _Shown()


def _dictionary_of(content: Any) -> Optional[Dictionary]:
    """Restores a dictionary from the result of `dataclasses.asdict`."""
    names = {each.name for each in fields(Dictionary)}
    if content is None or isinstance(content, Dictionary):
        return content
    if not isinstance(content, dict) or set(content) != names:
        raise ConfigurationError(
            f"Expected the fields {sorted(names)} of a biLM's dictionary, got "
            f"{_SHOWN.repr(content)}."
        )
    return Dictionary(**content)


def _is_int(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


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
            self.problems.append(
                f"'{key}' must be of type {kind.__name__}, got {_SHOWN.repr(value)}"
            )
            return None
        return value

    def dictionary(self, key: str) -> Dict[str, int]:
        """Returns the sizes of a dictionary by their names in the options, or nothing."""
        if not isinstance(self.content, dict) or self.content.get(key) is None:
            return {}
        sizes = {
            "num_characters": self.get(f"{key}.n_characters", int),
            "num_words": self.get(f"{key}.n_words", int),
            "word_embedding_dim": self.get(f"{key}.word_embedding.dim", int),
        }
        return {name: size for name, size in sizes.items() if size is not None}

    def filters(self, key: str) -> Tuple[Tuple[int, int], ...]:
        pairs = self.get(key, list) or []
        for pair in pairs:
            if not (
                isinstance(pair, (list, tuple))
                and len(pair) == 2
                and all(isinstance(size, int) and not isinstance(size, bool) for size in pair)
            ):
                self.problems.append(
                    f"'{key}' must hold [width, number] pairs, got {_SHOWN.repr(pair)}"
                )
                return ()
        return tuple((width, number) for width, number in pairs)
