"""
Loading a biLM with its softmax and its vocabulary.
"""

import os
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.extraction.engine import device_of
from allennlp_elmo_plugin.extraction.models import LoadedElmo, load_elmo
from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.language_model.vocabulary import (
    UNKNOWN_WORD,
    BilmVocabulary,
    softmax_words,
)
from allennlp_elmo_plugin.scoring.word_distribution import WordDistribution
from allennlp_elmo_plugin.weights import has_softmax, read_softmax
from allennlp_elmo_plugin.weights.tensorflow import is_checkpoint

__all__ = ["LanguageModel", "MissingSoftmaxError", "add_softmax", "load_language_model"]

Location = Union[str, "os.PathLike[str]"]

NAMESPACE = "tokens"


class MissingSoftmaxError(ConfigurationError):
    """
    An error about a biLM that comes with neither a softmax nor a vocabulary.
    """


class LanguageModel:
    """
    A biLM with its softmax: it gives a probability to each word of its vocabulary.

    # Parameters

    encoder : `BilmEncoder`
        The encoder that runs the biLM.
    distribution : `WordDistribution`
        The softmax.
    words : `Sequence[str]`
        The vocabulary: the word of each row of the softmax, `<UNK>` among them.

    # Raises

    `ConfigurationError`
        When the three do not fit each other.
    """

    def __init__(
        self, encoder: BilmEncoder, distribution: WordDistribution, words: Sequence[str]
    ) -> None:
        size = encoder.bilm.options.projection_dim
        if (len(words), size) != (distribution.num_words, distribution.size):
            raise ConfigurationError(
                f"Expected a softmax of the shape ({len(words)}, {size}), for the words of the "
                "vocabulary and the projection_dim of the biLM, got one of the shape "
                f"({distribution.num_words}, {distribution.size})."
            )
        if UNKNOWN_WORD not in words:
            raise ConfigurationError(
                f"Expected a vocabulary with the word '{UNKNOWN_WORD}', which stands for all words "
                f"that it lacks, got {len(words)} words without it."
            )
        self.encoder, self.distribution = encoder, distribution
        self.words = list(words)
        self._ids = {word: row for row, word in enumerate(self.words)}

    @property
    def unknown_id(self) -> int:
        """Number of the word `<UNK>`."""
        return self._ids[UNKNOWN_WORD]

    def word_id(self, token: str) -> int:
        """
        Returns the number of a word, which is its row in the softmax.

        # Parameters

        token : `str`
            The word. The number of one that is not in the vocabulary is that of `<UNK>`.
        """
        return self._ids.get(token, self.unknown_id)

    def is_unknown(self, token: str) -> bool:
        """
        Returns `True` for a word that is not in the vocabulary, and for `<UNK>` itself.

        # Parameters

        token : `str`
            The word.
        """
        return self.word_id(token) == self.unknown_id


class _Softmax(NamedTuple):
    """The words of a softmax, and its parameters."""

    words: List[str]
    weight: torch.Tensor
    bias: torch.Tensor


def load_language_model(
    model: Location,
    weight_file: Optional[Location] = None,
    softmax: Optional[Location] = None,
    vocabulary: Optional[Location] = None,
    precision: Optional[str] = None,
    initial_state: Union[str, InitialState] = "warm",
    warm_up: Optional[Sequence[str]] = None,
    module: Optional[str] = None,
    device: Union[int, str, torch.device] = "cpu",
) -> LanguageModel:
    """
    Loads a biLM with its softmax.

    The softmax and the vocabulary of a `bidirectional_lm` are in its archive. For other models,
    they are found beside the weights, as `elmo-export` writes them, or are named.

    # Parameters

    model, weight_file, precision, initial_state, warm_up, module :
        As for `load_elmo`: the files or the name of a biLM, or a trained model. The precision holds
        for the softmax, too.
    softmax : `Union[str, PathLike]`, optional (default = `None`)
        Path or URL of the softmax, an HDF5 file, or path of the index of a TensorFlow checkpoint.
        `None` is the file `*softmax*.hdf5` beside the weights, or the checkpoint that holds these.
    vocabulary : `Union[str, PathLike]`, optional (default = `None`)
        Path or URL of the vocabulary, a text file with one word a line. `None` is the file
        `vocab*.txt` beside the weights.
    device : `Union[int, str, torch.device]`, optional (default = `"cpu"`)
        The device of the biLM and the softmax, such as `"cuda"`, or its number, where -1 is the
        CPU.

    # Returns

    `LanguageModel`

    # Raises

    `MissingSoftmaxError`
        When no softmax and no vocabulary are named or found.
    `ConfigurationError`
        When a file is missing, damaged or does not fit, or a value is not as described.
    """
    loaded = load_elmo(model, weight_file, precision, initial_state, warm_up, module)
    return add_softmax(loaded, model, softmax, vocabulary, device)


def add_softmax(
    loaded: LoadedElmo,
    model: Location,
    softmax: Optional[Location] = None,
    vocabulary: Optional[Location] = None,
    device: Union[int, str, torch.device] = "cpu",
) -> LanguageModel:
    """
    Reads the softmax and the vocabulary of a biLM that is loaded.

    # Parameters

    loaded : `LoadedElmo`
        The biLM.
    model : `Union[str, PathLike]`
        The path, URL or name from which it was loaded.
    softmax, vocabulary, device :
        As for `load_language_model`.

    # Returns

    `LanguageModel`

    # Raises

    `MissingSoftmaxError`
        When no softmax and no vocabulary are named or found.
    `ConfigurationError`
        When a file is missing, damaged or does not fit.
    """
    size = loaded.encoder.bilm.options.projection_dim
    if isinstance(loaded.owner, BidirectionalLm):
        if softmax is not None or vocabulary is not None:
            raise ConfigurationError(
                f"Got a softmax or a vocabulary for '{model}', a trained language model that has "
                "both. Leave them out."
            )
        found = _softmax_of(loaded.owner)
    else:
        found = _read_softmax(_find_files(model, loaded, softmax, vocabulary), size)
    distribution = WordDistribution(found.weight, found.bias, loaded.encoder.bilm.precision)
    place = device_of(device)
    return LanguageModel(loaded.encoder.to(place), distribution.to(place), found.words)


def _softmax_of(trained: BidirectionalLm) -> _Softmax:
    words = softmax_words(trained.vocab, trained.namespace)
    return _Softmax(words, trained.softmax.weight.detach(), trained.softmax.bias.detach())


def _read_softmax(files: Tuple[Location, Location], size: int) -> _Softmax:
    softmax, file = files
    vocabulary = BilmVocabulary.from_vocabulary_file(os.fspath(file), NAMESPACE)
    words = softmax_words(vocabulary, NAMESPACE)
    return _Softmax(words, *read_softmax(softmax, len(words), size))


def _find_files(
    model: Location,
    loaded: LoadedElmo,
    softmax: Optional[Location],
    vocabulary: Optional[Location],
) -> Tuple[Location, Location]:
    """Returns the paths of the softmax and of the vocabulary."""
    weights = loaded.weight_file
    if softmax is None:
        softmax = _beside(weights, "*softmax*.hdf5")
    if softmax is None and weights is not None and is_checkpoint(weights) and has_softmax(weights):
        softmax = weights
    if vocabulary is None:
        vocabulary = _beside(weights, "vocab*.txt")
    missing = [
        f"{name} (on the command line by {option})"
        for name, option, found in (
            ("a softmax", "--softmax", softmax),
            ("a vocabulary", "--vocabulary", vocabulary),
        )
        if found is None
    ]
    if softmax is None or vocabulary is None:
        error = MissingSoftmaxError if softmax is vocabulary else ConfigurationError
        raise error(
            f"Expected a biLM with its softmax and its vocabulary, but '{model}' comes without "
            f"{' and '.join(missing)}. Name what is missing, or take a model that has it, such as "
            "pretrained:small or one that 'allennlp elmo-export' has written."
        )
    return softmax, vocabulary


def _beside(weights: Optional[Path], pattern: str) -> Optional[Path]:
    """Returns the only file of a pattern in the folder of the weights, if there is one."""
    found = [] if weights is None else sorted(weights.parent.glob(pattern))
    if len(found) > 1:
        raise ConfigurationError(
            f"Expected one file '{pattern}' beside '{weights}', found "
            f"{', '.join(repr(path.name) for path in found)}. Name the one that belongs to it."
        )
    return found[0] if found else None
