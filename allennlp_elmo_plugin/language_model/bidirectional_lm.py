"""
A biLM with its softmax, to be trained and measured.
"""

import os
from dataclasses import asdict
from math import sqrt
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from overrides import overrides
from torch.nn.functional import pad

from allennlp_elmo_plugin.archive.extra_state import find_extra_state, to_extra_state
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.zero import ZeroState
from allennlp_elmo_plugin.language_model.metrics import (
    TokenAverage,
    TokenPerplexity,
    TokensPerSecond,
)
from allennlp_elmo_plugin.language_model.softmax import Softmax
from allennlp_elmo_plugin.language_model.stream_states import StreamStates
from allennlp_elmo_plugin.language_model.vocabulary import write_vocabulary_file
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState
from allennlp_elmo_plugin.network.dropout import dropout as drop
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.time_major import Packing, pack
from allennlp_elmo_plugin.weights import find_options_file, read_softmax, write_softmax

__all__ = ["BidirectionalLm"]

PART = "bidirectional_lm"
DIRECTIONS = ("forward", "backward")


class BidirectionalLm(Model):
    """
    The bidirectional language model that ELMo is made of (Peters et al., 2018): each direction
    predicts the next word of its reading, from the same character CNN and by the same softmax. The
    loss is the mean of both directions' losses for a token, in nats.

    Registered as a `Model` with name "bidirectional_lm", whose constructor is `from_files`.

    # Parameters

    vocab : `Vocabulary`
        Has the words that are predicted.
    bilm : `ElmoBilm`
        The network. It is trained.
    num_samples : `int`, optional (default = `None`)
        How many words of the vocabulary each batch of a training is measured against. It makes
        training fast; the loss is then an estimate, and lower than the true one. Words have to be
        in the order of falling frequency, as they are in AllenNLP's vocabularies. With `None`, and
        always at evaluation, it is the whole vocabulary.
    dropout : `float`, optional (default = `0.1`)
        On what enters each layer and the softmax, as in bilm-tf.
    initial_state : `InitialState`, optional (default = `ZeroState()`)
        Where a stream starts: every sentence, if the reader's `num_steps` is `None`.
    namespace : `str`, optional (default = `"tokens"`)
        The namespace of the words, as the reader has it.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        bilm: ElmoBilm,
        num_samples: Optional[int] = None,
        dropout: float = 0.1,
        initial_state: Optional[InitialState] = None,
        namespace: str = "tokens",
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if not 0 <= dropout < 1:
            raise ConfigurationError(
                f"Expected 'dropout' to be at least 0 and less than 1, got {dropout}."
            )
        self.bilm = bilm
        self.softmax = Softmax(vocab.get_vocab_size(namespace), bilm.options.projection_dim)
        self.initial_state = ZeroState() if initial_state is None else initial_state
        self.initial_state.fit(bilm)
        self.namespace = namespace
        self._files: Dict[str, Optional[str]] = {"options_file": None, "weight_file": None}
        self._num_samples = num_samples
        self._dropout = dropout
        self._unknown_word = vocab.get_token_index(vocab._oov_token, namespace)
        # Evaluation may come between two windows of a training.
        self.training_streams, self._evaluation_streams = StreamStates(), StreamStates()
        self._perplexities = {direction: TokenPerplexity() for direction in DIRECTIONS}
        self._losses = {direction: TokenAverage() for direction in DIRECTIONS}
        self._unknown_words = TokenAverage()
        self._speed = TokensPerSecond()

    @classmethod
    def from_files(
        cls,
        vocab: Vocabulary,
        options: Optional[Dict[str, Any]] = None,
        options_file: Optional[str] = None,
        weight_file: Optional[str] = None,
        softmax_file: Optional[str] = None,
        num_samples: Optional[int] = None,
        dropout: float = 0.1,
        initial_state: Optional[InitialState] = None,
        namespace: str = "tokens",
        serialization_dir: Optional[str] = None,
        **kwargs: Any,
    ) -> "BidirectionalLm":
        """
        # Parameters

        vocab : `Vocabulary`
            Has the words that are predicted.
        options : `Dict[str, Any]`, optional (default = `None`)
            The shape of a new biLM, as in an `options.json`: `char_cnn` and `lstm`.
        options_file : `str`, optional (default = `None`)
            In place of `options`: a path, a URL, or a folder or zip that holds the options file.
        weight_file : `str`, optional (default = `None`)
            To go on from the weights of a biLM: a path, a URL, or a folder or zip that holds the
            HDF5 file. `None` draws new ones.
        softmax_file : `str`, optional (default = `None`)
            To go on from a softmax as well, which belongs to the very words of the vocabulary: a
            path or URL of an HDF5 file. `None` draws a new one.
        num_samples, dropout, initial_state, namespace :
            See the class.
        serialization_dir : `str`, optional (default = `None`)
            Where an archive that is loaded has the weights, so that it needs none of the files.
            AllenNLP fills it in.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged, or does not fit the options or the vocabulary, or when
            there are no options or two.
        """
        if (options is None) == (options_file is None):
            raise ConfigurationError(
                "Expected either 'options' (the shape of a new biLM) or 'options_file', got "
                f"{'neither' if options is None else 'both'}."
            )
        if weight_file is not None and options_file is None:
            raise ConfigurationError(
                f"Expected 'options_file' beside 'weight_file' '{weight_file}', since a biLM that "
                "is there has its shape; got 'options'."
            )
        files = {"options_file": options_file, "weight_file": weight_file}
        archived = find_extra_state(serialization_dir, PART, **files)
        if options is not None:
            bilm = ElmoBilm(ElmoOptions.from_dict(options))
        elif archived is not None:
            bilm = ElmoBilm(ElmoOptions.from_fields(archived["options"]))
        elif weight_file is not None:
            bilm = ElmoBilm.from_files(str(options_file), weight_file)
        else:
            bilm = ElmoBilm(ElmoOptions.from_file(find_options_file(str(options_file))))
        model = cls(vocab, bilm, num_samples, dropout, initial_state, namespace, **kwargs)
        model._files = files
        if softmax_file is not None and archived is None:
            model.softmax.load(*read_softmax(softmax_file, *model.softmax.weight.shape))
        return model

    def to_folder(self, folder: Union[str, "os.PathLike[str]"]) -> None:
        """
        Writes `options.json` and `weights.hdf5`, which every ELMo reads; `softmax.hdf5`, laid out
        as the published ones are; and `vocabulary.txt`, whose line i belongs to row i of the
        softmax.

        # Parameters

        folder : `Union[str, PathLike]`
            It is made where it is missing; files of these names in it are replaced.
        """
        folder = Path(folder)
        self.bilm.to_folder(folder)
        write_softmax(folder / "softmax.hdf5", self.softmax.weight, self.softmax.bias)
        write_vocabulary_file(folder / "vocabulary.txt", self.vocab, self.namespace)

    def get_extra_state(self) -> torch.Tensor:
        """
        # Returns

        `torch.Tensor`
            Shape (bytes,), uint8: the options, for an archive without their file.
        """
        return to_extra_state(PART, {**self._files, "options": asdict(self.bilm.options)})

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Changes nothing: the options were needed when the module was built."""

    @overrides(check_signature=False)
    def forward(
        self,
        forward_inputs: TextFieldTensors,
        forward_targets: TextFieldTensors,
        backward_inputs: TextFieldTensors,
        backward_targets: TextFieldTensors,
        metadata: List[Dict[str, Any]],
    ) -> Dict[str, torch.Tensor]:
        """
        # Parameters

        forward_inputs, backward_inputs : `TextFieldTensors`
            `elmo_tokens` of shape (batch, timesteps, characters), int64, 0 = no token, in the order
            in which the direction reads. Both directions have the same number of tokens in a row.
        forward_targets, backward_targets : `TextFieldTensors`
            `tokens` of shape (batch, timesteps) or (batch, timesteps - 1), int64: the id of the
            word after each input, or after each but the last of every row.
        metadata : `List[Dict[str, Any]]`
            `stream` and `window` of each row.

        # Returns

        `Dict[str, torch.Tensor]`
            `loss`, a scalar of float32.
        """
        character_ids = torch.stack(
            [_only(inputs)["elmo_tokens"] for inputs in (forward_inputs, backward_inputs)]
        )
        targets = torch.stack(
            [_only(targets)["tokens"] for targets in (forward_targets, backward_targets)]
        )
        lengths = (character_ids[0] > 0).any(dim=-1).sum(dim=-1).tolist()
        width = character_ids.size(2)
        packing = pack(lengths, width, character_ids.device)
        packed_ids = character_ids.flatten(1, 2).index_select(1, packing.positions)
        words = self.bilm.char_cnn(packed_ids.flatten(0, 1))
        tops = self._run(words.view(*packed_ids.shape[:2], -1), packing, metadata)
        # Of windows that are whole sentences, nothing follows the last input.
        ends = torch.tensor(lengths) - (max(lengths, default=0) - targets.size(2))
        has_target = (torch.arange(width) < ends.unsqueeze(1)).to(targets.device)
        targets = pad(targets, (0, width - targets.size(2)))
        kept = has_target.flatten().index_select(0, packing.positions).nonzero().squeeze(-1)
        targets = targets.flatten(1).index_select(1, packing.positions.index_select(0, kept))
        losses = self._losses_of(tops.index_select(1, kept).flatten(0, 1), targets.flatten())
        losses = losses.view(targets.shape)
        for direction, its_losses in zip(DIRECTIONS, losses):
            self._losses[direction](its_losses)
            self._perplexities[direction](its_losses)
        self._unknown_words(targets[0] == self._unknown_word)
        self._speed(losses.size(1))
        # A batch of empty windows has nothing to learn from, but must not make a NaN.
        return {"loss": losses.sum() / max(1, losses.numel())}

    @overrides
    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """
        # Parameters

        reset : `bool`, optional (default = `False`)
            Whether to begin anew.

        # Returns

        `Dict[str, float]`
            For both directions `..._loss`, in nats, and `..._perplexity`, of all tokens since the
            last reset; `perplexity`, that of both directions' mean loss; `unknown_words`, the share
            of targets that are not in the vocabulary, which count as one word; `tokens_per_second`.
            In training these are the estimates of the sampled softmax, if there is one, with
            dropout.
        """
        metrics = {}
        losses = {direction: loss.get_metric(reset) for direction, loss in self._losses.items()}
        for direction, loss in losses.items():
            metrics[f"{direction}_loss"] = loss
            metrics[f"{direction}_perplexity"] = self._perplexities[direction].get_metric(reset)
        metrics["perplexity"] = sqrt(metrics["forward_perplexity"] * metrics["backward_perplexity"])
        metrics["unknown_words"] = self._unknown_words.get_metric(reset)
        metrics["tokens_per_second"] = self._speed.get_metric(reset)
        return metrics

    def _run(
        self, words: torch.Tensor, packing: Packing, metadata: List[Dict[str, Any]]
    ) -> torch.Tensor:
        """The top layer of both directions, from where the rows' streams are."""
        streams = self.training_streams if self.training else self._evaluation_streams
        dropout = self._dropout if self.training else 0.0
        numbers, windows = ([row[key] for row in metadata] for key in ("stream", "window"))
        self.initial_state.settle(self.bilm)
        initial = self.initial_state.start(self.bilm.lstm.zero_state(len(metadata)))
        start = streams.start(numbers, windows, initial)
        layers, end = self.bilm.lstm.run_in_reading_order(
            words,
            packing.batch_sizes,
            LstmState(*(part.index_select(2, packing.rows) for part in start)),
            dropout=dropout,
        )
        original_rows = packing.rows.argsort()
        end = LstmState(*(part.index_select(2, original_rows) for part in end))
        streams.finish(numbers, windows, end)
        self.initial_state.finish(end)
        return drop(layers[-1], dropout)

    def _losses_of(self, vectors: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self.training and self._num_samples is not None:
            return self.softmax.sampled(vectors, targets, self._num_samples)
        return self.softmax(vectors, targets)


def _only(tensors: TextFieldTensors) -> Dict[str, torch.Tensor]:
    ((_, indexed),) = tensors.items()
    return indexed


Model.register("bidirectional_lm", constructor="from_files")(BidirectionalLm)
