"""
The bidirectional language model: a biLM with its softmax.
"""

import os
from dataclasses import asdict
from math import sqrt
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from overrides import overrides
from torch.nn.functional import pad

from allennlp_elmo_plugin.archive.archived_module import ArchivedModule
from allennlp_elmo_plugin.archive.facts import find_facts
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.zero import ZeroState
from allennlp_elmo_plugin.io.atomic import write_together
from allennlp_elmo_plugin.language_model.metrics import (
    TokenAverage,
    TokenPerplexity,
    TokensPerSecond,
)
from allennlp_elmo_plugin.language_model.softmax import Softmax
from allennlp_elmo_plugin.language_model.stream_states import StreamStates
from allennlp_elmo_plugin.language_model.vocabulary import write_vocabulary_file
from allennlp_elmo_plugin.network.distinct_words import distinct_words
from allennlp_elmo_plugin.network.dropout import fast_dropout
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch
from allennlp_elmo_plugin.network.tensor_checks import INTEGERS, check_device, check_tensor
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout
from allennlp_elmo_plugin.weights import (
    find_options_file,
    read_options,
    read_softmax,
    write_softmax,
)

__all__ = ["BidirectionalLm"]

DIRECTIONS = ("forward", "backward")


class BidirectionalLm(ArchivedModule, Model):
    """
    A bidirectional language model, the biLM of ELMo with its softmax (Peters et al., 2018).

    Each direction predicts the next word in its reading order. Both share one character CNN and one
    softmax. The loss is the mean of both directions' losses for a token, in nats.

    Registered as a `Model` with name "bidirectional_lm", whose constructor is `from_files`.

    # Parameters

    vocab : `Vocabulary`
        The vocabulary of the words that are predicted.
    bilm : `ElmoBilm`
        The network. It is trained.
    num_samples : `int`, optional (default = `None`)
        Number of sampled words for the training softmax; `None` is the full softmax, which
        evaluation always uses. Sampling makes training fast; the loss is then an estimate, and
        lower than the true one. The ids of words must be in the order of falling frequency, as in
        AllenNLP's vocabularies.
    dropout : `float`, optional (default = `0.1`)
        Probability of dropping each element of the input of each layer and of the softmax, in
        [0, 1), as in bilm-tf.
    initial_state : `InitialState`, optional (default = `ZeroState()`)
        State that each stream starts from, or each sentence if the reader's `num_steps` is `None`.
    namespace : `str`, optional (default = `"tokens"`)
        Namespace of the words, the same as the reader's.
    """

    component = "bidirectional_lm"

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
        if bilm.options.num_words:
            raise ConfigurationError(
                "Expected a biLM that spells words as bytes, got one with a dictionary of "
                f"{bilm.options.num_words} words, as ELMoForManyLangs trains them. Such biLMs give "
                "vectors, but are not trained as language models here."
            )
        self.bilm = bilm
        self.softmax = Softmax(vocab.get_vocab_size(namespace), bilm.options.projection_dim)
        self.initial_state = ZeroState() if initial_state is None else initial_state
        self.initial_state.allocate(bilm)
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
        self._throughput = TokensPerSecond()

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
        Builds a model from options, from files, or from an archive.

        # Parameters

        vocab : `Vocabulary`
            The vocabulary of the words that are predicted.
        options : `Dict[str, Any]`, optional (default = `None`)
            The shape of a new biLM, as in an `options.json`: `char_cnn` and `lstm`.
        options_file : `str`, optional (default = `None`)
            Options file, in place of `options`: a path, a URL, or a folder or zip that holds it.
        weight_file : `str`, optional (default = `None`)
            Weights to continue from: a path, a URL, or a folder or zip that holds the HDF5 file or
            the TensorFlow checkpoint. `None` draws new ones.
        softmax_file : `str`, optional (default = `None`)
            Softmax to continue from, made for exactly the words of the vocabulary: a path or URL of
            an HDF5 file, or path of the index of a TensorFlow checkpoint. `None` draws a new one.
        num_samples, dropout, initial_state, namespace :
            See the class.
        serialization_dir : `str`, optional (default = `None`)
            Folder of an archive that is being loaded. It holds the weights, so no file is needed.
            AllenNLP fills it in.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged, or does not fit the options or the vocabulary, or when
            not exactly one of `options` and `options_file` is given.
        """
        if (options is None) == (options_file is None):
            raise ConfigurationError(
                "Expected either 'options' (the shape of a new biLM) or 'options_file', got "
                f"{'neither' if options is None else 'both'}."
            )
        if weight_file is not None and options_file is None:
            raise ConfigurationError(
                f"Expected 'options_file' beside 'weight_file' '{weight_file}', since an "
                "existing biLM has its shape already; got 'options'."
            )
        files = {"options_file": options_file, "weight_file": weight_file}
        archived = find_facts(serialization_dir, cls.component, **files)
        if options is not None:
            bilm = ElmoBilm(ElmoOptions.from_dict(options))
        elif archived is not None:
            bilm = ElmoBilm(ElmoOptions.from_fields(archived.get("options", {})))
        elif weight_file is not None:
            bilm = ElmoBilm.from_files(str(options_file), weight_file)
        else:
            bilm = ElmoBilm(read_options(find_options_file(str(options_file))))
        model = cls(vocab, bilm, num_samples, dropout, initial_state, namespace, **kwargs)
        model._files = files
        if softmax_file is not None and archived is None:
            model.softmax.load(*read_softmax(softmax_file, *model.softmax.weight.shape))
        return model

    def to_folder(self, folder: Union[str, "os.PathLike[str]"]) -> None:
        """
        Writes the biLM, its softmax and its vocabulary.

        The files are `options.json` and `weights.hdf5`, which every ELMo reads, `softmax.hdf5` in
        the layout of the published ones, and `vocabulary.txt`, whose line i belongs to row i of the
        softmax.

        # Parameters

        folder : `Union[str, PathLike]`
            Path of the folder, made if it is missing. Files of these names in it are replaced, all
            together.

        # Raises

        `ConfigurationError`
            If a word of the vocabulary contains a line break.
        `OSError`
            If the files cannot be written, for example because the disk is full. The folder is then
            left as it was.
        """
        with write_together(Path(folder), last="options.json") as partial:
            write_vocabulary_file(partial / "vocabulary.txt", self.vocab, self.namespace)
            write_softmax(partial / "softmax.hdf5", self.softmax.weight, self.softmax.bias)
            self.bilm.to_folder(partial)

    @overrides
    def archived_facts(self) -> Dict[str, Any]:
        """Returns the options, for an archive without their file."""
        return {**self._files, "options": asdict(self.bilm.options)}

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
        Computes the loss of a batch of windows.

        # Parameters

        forward_inputs, backward_inputs : `TextFieldTensors`
            `elmo_tokens` of shape (batch, timesteps, characters), int64, 0 = no token, in the
            direction's reading order. Both directions have the same number of tokens in a row.
        forward_targets, backward_targets : `TextFieldTensors`
            `tokens` of shape (batch, timesteps) or (batch, timesteps - 1), int64: the id of the
            word after each input, or after each but the last of every row.
        metadata : `List[Dict[str, Any]]`
            `stream` and `window` of each row.

        # Returns

        `Dict[str, torch.Tensor]`
            `loss`, a scalar of float32.

        # Raises

        `ConfigurationError`
            When the inputs are not character ids, the targets not ids of words, or the directions
            differ in length.
        """
        batches = self._checked_batches(forward_inputs, backward_inputs)
        layout = batches[0].layout
        words = distinct_words(torch.cat([batch.time_major_character_ids() for batch in batches]))
        vectors = self.bilm.char_cnn(words.character_ids).index_select(0, words.word_of_token)
        inputs = vectors.view(len(DIRECTIONS), len(layout.positions), vectors.size(-1))
        top = self._top_layer(inputs, layout, metadata)
        targets = self._checked_targets(batches[0], forward_targets, backward_targets)
        kept, targets = _time_major_targets(targets, batches[0])
        losses = self._losses_of(top.index_select(1, kept).flatten(0, 1), targets.flatten())
        losses = losses.view(targets.shape)
        for direction, its_losses in zip(DIRECTIONS, losses):
            self._losses[direction](its_losses)
            self._perplexities[direction](its_losses)
        self._unknown_words(targets[0] == self._unknown_word)
        self._throughput(losses.size(1))
        # A batch of empty windows has no loss, but must not make a NaN.
        return {"loss": losses.sum() / max(1, losses.numel())}

    @overrides
    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """
        Returns the metrics of all batches since the last reset.

        In training they are the estimates of the sampled softmax, if there is one, with dropout.

        # Parameters

        reset : `bool`, optional (default = `False`)
            If `True`, start again from zero.

        # Returns

        `Dict[str, float]`
            For each direction `..._loss`, in nats, and `..._perplexity`; `perplexity`, that of the
            mean loss of both directions; `unknown_words`, the fraction of targets that are not in
            the vocabulary, which count as one word; and `tokens_per_second`.
        """
        metrics = {}
        losses = {direction: loss.get_metric(reset) for direction, loss in self._losses.items()}
        for direction, loss in losses.items():
            metrics[f"{direction}_loss"] = loss
            metrics[f"{direction}_perplexity"] = self._perplexities[direction].get_metric(reset)
        metrics["perplexity"] = sqrt(metrics["forward_perplexity"] * metrics["backward_perplexity"])
        metrics["unknown_words"] = self._unknown_words.get_metric(reset)
        metrics["tokens_per_second"] = self._throughput.get_metric(reset)
        return metrics

    def _checked_batches(self, *inputs: TextFieldTensors) -> List[SentenceBatch]:
        spelling = self.bilm.options.spelling
        batches = [
            SentenceBatch.from_padded(
                _only(tensors, "elmo_tokens"), spelling, adds_boundaries=False
            )
            for tensors in inputs
        ]
        for batch in batches:
            check_device("'elmo_tokens'", batch.character_ids, self.softmax.weight.device)
        first, second = (batch.num_tokens for batch in batches)
        if first != second:
            raise ConfigurationError(
                "Expected as many tokens in each row of 'backward_inputs' as in 'forward_inputs', "
                f"got {second} and {first}."
            )
        return batches

    def _checked_targets(self, batch: SentenceBatch, *targets: TextFieldTensors) -> torch.Tensor:
        """Returns the targets of both directions, stacked."""
        tensors = [_only(tensors, "tokens") for tensors in targets]
        # Both may be padded further than the longest row.
        rows, fewest = len(batch), max(0, max(batch.num_tokens, default=0) - 1)
        for tensor in tensors:
            check_tensor("targets", tensor, INTEGERS[:1], batch.character_ids.device)
            fits = tensor.dim() == 2 and fewest <= tensor.size(1) <= batch.timesteps
            if not fits or len(tensor) != rows:
                raise ConfigurationError(
                    f"Expected targets of shape ({rows}, {fewest} to {batch.timesteps}), one for "
                    f"each input or for each but the last, got {tuple(tensor.shape)}."
                )
        if tensors[0].shape != tensors[1].shape:
            raise ConfigurationError(
                f"Expected targets of one shape in both directions, got {tuple(tensors[0].shape)} "
                f"and {tuple(tensors[1].shape)}."
            )
        stacked = torch.stack(tensors)
        num_words = len(self.softmax.weight)
        if stacked.numel() and bool(((stacked < 0) | (stacked >= num_words)).any()):
            raise ConfigurationError(
                f"Expected targets from 0 to {num_words - 1}, the ids of the vocabulary's words, "
                f"got ids from {int(stacked.min())} to {int(stacked.max())}. Do the reader and the "
                "model name the same namespace?"
            )
        return stacked

    def _top_layer(
        self, inputs: torch.Tensor, layout: TimeMajorLayout, metadata: List[Dict[str, Any]]
    ) -> torch.Tensor:
        """Returns the top layer of both directions, run from the state of each row's stream."""
        streams = self.training_streams if self.training else self._evaluation_streams
        dropout = self._dropout if self.training else 0.0
        numbers, windows = ([row[key] for row in metadata] for key in ("stream", "window"))
        self.initial_state.prepare(self.bilm)
        initial = self.initial_state.start(self.bilm.zero_state(len(metadata)))
        start = streams.start(numbers, windows, initial)
        outputs, end = self.bilm(inputs, layout, start, dropout=dropout)
        streams.finish(numbers, windows, end)
        self.initial_state.finish(end)
        return fast_dropout(outputs[-1], dropout)

    def _losses_of(self, vectors: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self.training and self._num_samples is not None:
            return self.softmax.sampled(vectors, targets, self._num_samples)
        return self.softmax(vectors, targets)


def _only(tensors: TextFieldTensors, key: str) -> torch.Tensor:
    """Returns a tensor of the only indexer."""
    indexed = list(tensors.values())
    if len(indexed) != 1 or key not in indexed[0]:
        found = {indexer: list(named) for indexer, named in tensors.items()}
        raise ConfigurationError(f"Expected one indexer, which gives '{key}', got {found}.")
    return indexed[0][key]


def _time_major_targets(
    targets: torch.Tensor, batch: SentenceBatch
) -> Tuple[torch.Tensor, torch.Tensor]:
    """
    Puts targets into the time-major order of their inputs.

    # Parameters

    targets : `torch.Tensor`
        Shape (2 directions, batch, timesteps) or (2 directions, batch, timesteps - 1), int64.
    batch : `SentenceBatch`
        The inputs of one direction.

    # Returns

    `Tuple[torch.Tensor, torch.Tensor]`
        The indices of the tokens that have a target, of shape (targets,), and the targets, of shape
        (2 directions, targets), int64.
    """
    positions, timesteps = batch.layout.positions, batch.timesteps
    # Nothing follows the last input of a window that is a whole sentence.
    num_without = max(batch.num_tokens, default=0) - targets.size(2)
    has_target = torch.arange(timesteps, device=targets.device) < (
        batch.ends - num_without
    ).unsqueeze(1)
    targets = pad(targets, (0, timesteps - targets.size(2))).flatten(1)
    kept = has_target.flatten().index_select(0, positions).nonzero().squeeze(-1)
    return kept, targets.index_select(1, positions.index_select(0, kept))


Model.register("bidirectional_lm", constructor="from_files")(BidirectionalLm)
