"""
`ElmoModel` of simple_elmo 0.9.
"""

import os
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Sequence, Tuple, Union, cast
from zipfile import ZipFile, is_zipfile

import numpy
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.initial_state.carry import CarryState
from allennlp_elmo_plugin.embedder.initial_state.zero import ZeroState
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.models import load_elmo
from allennlp_elmo_plugin.io.text_lines import decode_lines, read_lines
from allennlp_elmo_plugin.language_model.vocabulary import vocabulary_words
from allennlp_elmo_plugin.network.spelling import BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN
from allennlp_elmo_plugin.scoring.language_model import LanguageModel, add_softmax
from allennlp_elmo_plugin.scoring.substitutes import BACKWARD, FORWARD, SubstituteFinder

__all__ = ["ElmoModel"]

LAYERS = ("average", "top", "all")
VOCABULARY = "vocab.txt"
DELIMITERS = (BEGIN_OF_SENTENCE_TOKEN, END_OF_SENTENCE_TOKEN)
VOCABULARIES = ("vocab.txt.gz", VOCABULARY, "vocabulary.txt")
"""The last one is that of `allennlp elmo-export` and of `pretrained:small`."""


class ElmoModel:
    """
    A biLM that turns sentences into NumPy arrays, with the interface of simple_elmo.

    It gives the numbers of simple_elmo: each call starts from a state of zeros, which the sentences
    of a batch change for the next batch. These faults of simple_elmo are left out:

    - Behind the end of a sentence, its token layer has the vector of a word without characters, and
      not zeros, if a sentence of the same batch is longer.
    - This vector then counts in the mean of a sentence, so the mean depends on the other sentences.
    - `get_elmo_vector_average(layers="all")` mixes tokens up with layers.
    - A sentence without tokens has a mean of NaN.
    - Options with 261 characters, as they are after a training, are refused.

    `get_elmo_substitutes` has a list of its own.
    """

    vector_size: int
    """Size of a vector."""
    n_layers: int
    """The number of layers, the token layer included."""
    batch_size: int
    """The number of sentences of a batch."""
    max_chars: int
    """The number of characters of a token, its two edges included."""
    vocab: Optional[List[str]]
    """The words of the language model, or `None` unless it was loaded with `full`."""

    def __init__(self) -> None:
        self._encoder: Optional[BilmEncoder] = None
        self._language_model: Optional[LanguageModel] = None
        self.vocab = None

    def load(
        self,
        directory: Union[str, "os.PathLike[str]"],
        max_batch_size: int = 32,
        limit: int = 100,
        full: bool = False,
        *,
        device: Union[str, torch.device] = "cpu",
    ) -> str:
        """
        Loads a biLM.

        # Parameters

        directory : `Union[str, PathLike]`
            Path of a folder or of a zip in NLPL's layout, or another model that `load_elmo` takes.
        max_batch_size : `int`, optional (default = `32`)
            The number of sentences of a batch.
        limit : `int`, optional (default = `100`)
            Ignored: the number of words that simple_elmo spells in advance.
        full : `bool`, optional (default = `False`)
            If `True`, read the vocabulary too, for `get_elmo_substitutes`. Vectors can be computed
            all the same.
        device : `Union[str, torch.device]`, optional (default = `"cpu"`)
            The device of the biLM, such as `"cuda"`.

        # Returns

        `str`
            The message that the model is loaded.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged or does not fit.
        """
        state = CarryState()
        loaded = load_elmo(directory, initial_state=state)
        encoder = loaded.encoder.to(device)
        self.vocab = _read_vocabulary(Path(directory), loaded.weight_file) if full else None
        self._directory, self._loaded, self._language_model = directory, loaded, None
        self._encoder, self._state = encoder, state
        self.vector_size = encoder.get_output_dim()
        self.n_layers = encoder.num_representations
        self.max_chars = encoder.max_characters_per_token
        self.batch_size = max_batch_size
        return "The model is now loaded."

    def get_elmo_vectors(
        self,
        texts: Sequence[Sequence[str]],
        warmup: bool = True,
        layers: str = "average",
        session: object = None,
    ) -> numpy.ndarray:
        """
        Computes the vectors of the tokens of sentences.

        # Parameters

        texts : `Sequence[Sequence[str]]`
            The tokens of each sentence.
        warmup : `bool`, optional (default = `True`)
            If `True`, run the first batch once before, for a better state to start from.
        layers : `str`, optional (default = `"average"`)
            `"average"`, `"top"` or `"all"`.
        session : `object`, optional (default = `None`)
            Anything but `None` goes on from the state in which the last call ended, as a session of
            TensorFlow does.

        # Returns

        `numpy.ndarray`
            Shape (sentences, tokens, vector_size), float64, 0 behind the end of a sentence. With
            all layers, shape (sentences, n_layers, tokens, vector_size).

        # Raises

        `ConfigurationError`
            When no model is loaded, or when a value is not as described.
        """
        num_layers = self._layers_of_shape(layers)
        timesteps = max(map(len, texts), default=0)
        vectors = numpy.zeros((len(texts), *num_layers, timesteps, self.vector_size))
        for row, found in zip(vectors, self._stream(texts, warmup, layers, session)):
            row[..., : found.shape[-2], :] = found
        return vectors

    def get_elmo_vector_average(
        self,
        texts: Sequence[Sequence[str]],
        warmup: bool = True,
        layers: str = "average",
        session: object = None,
    ) -> numpy.ndarray:
        """
        Computes the mean vector of each sentence, divided by its length.

        # Parameters

        texts, warmup, layers, session :
            As for `get_elmo_vectors`.

        # Returns

        `numpy.ndarray`
            Shape (sentences, vector_size), float64; each row has length 1. A sentence without
            tokens has zeros. With all layers, shape (sentences, n_layers, vector_size), and the
            layers of a sentence together have length 1.

        # Raises

        `ConfigurationError`
            When no model is loaded, or when a value is not as described.
        """
        means = numpy.zeros((len(texts), *self._layers_of_shape(layers), self.vector_size))
        for row, found in zip(means, self._stream(texts, warmup, layers, session)):
            # The length of the sum is that of the mean, up to a factor that cancels.
            total = found.sum(axis=-2, dtype=numpy.float64)
            row[...] = total / (numpy.linalg.norm(total) or 1.0)
        return means

    def get_elmo_substitutes(
        self, data: Sequence[str], topn: int = 3, nodelimiters: bool = True
    ) -> List[List[Dict[str, Any]]]:
        """
        Finds the most probable words in the place of each token.

        The model must be a folder with a vocabulary and a softmax, such as a checkpoint of bilm-tf,
        and must be loaded with `full`. Each sentence starts from a state of zeros. These faults of
        simple_elmo are left out:

        - It starts each token from zeros, so a prediction knows one token of its sentence, the
          neighbour. Here the forward direction knows all tokens before the place, and the backward
          direction all behind it.
        - Its `logp` are logits, rounded to four digits, in no order. With `nodelimiters`, the
          logits of the first two words of the vocabulary are 0, so they may be candidates all the
          same. Here `logp` are log probabilities in nats, the highest first.
        - It takes no fewer sentences than the batch size. It returns them in the order in which
          they come to their ends, and drops those that are unfinished when no new one is left.

        # Parameters

        data : `Sequence[str]`
            The sentences, their tokens separated by white space.
        topn : `int`, optional (default = `3`)
            The number of candidates.
        nodelimiters : `bool`, optional (default = `True`)
            If `True`, `<S>` and `</S>` are no candidates. `<UNK>` may be one.

        # Returns

        `List[List[Dict[str, Any]]]`
            For each token of each sentence, the `"word"`, which is `<UNK>` if it is not in the
            vocabulary, and for `"forward"` and `"backward"` a dictionary with lists of the numbers
            of the `"candidates"`, of the `"candidate_words"` and of their `"logp"`.

        # Raises

        `ConfigurationError`
            When no such model is loaded, or when a value is not as described.
        """
        if isinstance(data, str) or not all(isinstance(sentence, str) for sentence in data):
            raise ConfigurationError(
                "Expected a list of sentences, which are strings with tokens separated by spaces, "
                f"got {data!r:.100}."
            )
        model = self._with_softmax()
        excluded = DELIMITERS if nodelimiters else ()
        finder = SubstituteFinder(model, topn, (FORWARD, BACKWARD), excluded_words=excluded)
        sentences = [sentence.split() for sentence in data]
        return [
            [
                {
                    "word": model.words[model.word_id(token)],
                    **{name: _as_lists(model, each[i]) for i, name in enumerate(finder.by)},
                }
                for token, each in zip(tokens, found.swapaxes(0, 1))
            ]
            for tokens, found in zip(sentences, finder.find(sentences))
        ]

    def _layers_of_shape(self, layers: str) -> Tuple[int, ...]:
        """Returns the axis for the layers in the shape of a result, if there is one."""
        if self._encoder is None:
            raise ConfigurationError("Expected a model, but none is loaded. Call 'load' first.")
        if layers not in LAYERS:
            raise ConfigurationError(
                f"Expected 'layers' to be one of {', '.join(LAYERS)}, got {layers!r}."
            )
        return (self.n_layers,) if layers == "all" else ()

    def _with_softmax(self) -> LanguageModel:
        if self._encoder is None or self.vocab is None:
            raise ConfigurationError(
                "Expected a model with its vocabulary, but none is loaded. Call 'load' with "
                "'full=True' first."
            )
        if self._language_model is None:
            # Not the state of vectors, which each batch changes.
            encoder = BilmEncoder(self._encoder.bilm, ZeroState())
            vocabulary = _vocabulary_path(self._loaded.weight_file)
            self._language_model = add_softmax(
                self._loaded._replace(encoder=encoder),
                self._directory,
                vocabulary=vocabulary,
                device=next(self._encoder.parameters()).device,
            )
        return self._language_model

    def _stream(
        self, texts: Sequence[Sequence[str]], warmup: bool, layers: str, session: object
    ) -> Iterator[numpy.ndarray]:
        assert self._encoder is not None
        extractor = ElmoExtractor(self._encoder, layers, batch_size=self.batch_size)
        if session is None:
            self._state.reset_states()
        if warmup:
            extractor.embed(texts[: self.batch_size])
        return extractor.stream(texts)


def _as_lists(model: LanguageModel, candidates: numpy.ndarray) -> Dict[str, List[Any]]:
    """Returns the candidates of a token, of shape (topn, 2), as simple_elmo does."""
    words = candidates[:, 0].astype(int).tolist()
    return {
        "candidates": words,
        "candidate_words": [model.words[word] for word in words],
        "logp": candidates[:, 1].tolist(),
    }


def _read_vocabulary(model: Path, weights: Optional[Path]) -> List[str]:
    path = _vocabulary_path(weights)
    if path is not None:
        return vocabulary_words(read_lines(path, "the vocabulary"))
    if is_zipfile(model):
        with ZipFile(model) as archive:
            if VOCABULARY in archive.namelist():
                with archive.open(VOCABULARY) as file:
                    lines = decode_lines(cast(BinaryIO, file), f"{model}!{VOCABULARY}")
                    return vocabulary_words(lines)
    raise ConfigurationError(
        f"Got 'full', for which '{model}' must be a folder or a zip with the vocabulary "
        f"'{VOCABULARY}', but there is none. Leave 'full' out for vectors, or add the file."
    )


def _vocabulary_path(weights: Optional[Path]) -> Optional[Path]:
    """Returns the path of the vocabulary beside the weights, if there is one."""
    paths = [] if weights is None else [weights.parent / name for name in VOCABULARIES]
    return next(filter(Path.is_file, paths), None)
