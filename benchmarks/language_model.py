"""
Throughput of training a biLM as a language model.
"""

from collections import Counter
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence

import torch
from allennlp.data import Vocabulary
from allennlp.modules.elmo import _ElmoBiLm
from allennlp.modules.sampled_softmax_loss import SampledSoftmaxLoss

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.language_model.bidirectional_lm import BidirectionalLm
from allennlp_elmo_plugin.language_model.softmax import Softmax
from allennlp_elmo_plugin.language_model.windows import Window, sentence_window, stream_windows
from benchmarks.report import Section, Table, times
from benchmarks.sentences import Sentence
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, character_ids
from benchmarks.timing import interleaved_medians

__all__ = ["measure_language_model"]

SHAPE = "2x256_128"
OPTIONS = ElmoOptions(
    filters=((1, 16), (2, 16), (3, 32), (4, 64), (5, 128)),
    projection_dim=128,
    cell_size=256,
    num_layers=2,
    cell_clip=3.0,
    proj_clip=3.0,
)
STREAMS = 64
TIMESTEPS = 20
# Windows of a stream before its state starts from zeros again.
WINDOWS = 4
NUM_SAMPLES = 1024
DROPOUT = 0.1
LEARNING_RATE = 0.001
GRADIENT_NORM = 1.0
PLUGIN = "plugin"


class Batch(NamedTuple):
    """
    Inputs and targets of both sides for the next window of each stream.

    # Parameters

    forward_ids, backward_ids : `torch.Tensor`
        Shape (streams, timesteps, 50), int64: character ids of the tokens that a direction reads.
    following, preceding : `torch.Tensor`
        Shape (streams, timesteps), int64: words after and before each token of `forward_ids`.
    backward_targets : `torch.Tensor`
        Shape (streams, timesteps), int64: words after each token of `backward_ids`.
    """

    forward_ids: torch.Tensor
    backward_ids: torch.Tensor
    following: torch.Tensor
    preceding: torch.Tensor
    backward_targets: torch.Tensor


class AllennlpLanguageModel(torch.nn.Module):
    """
    A bidirectional language model made of AllenNLP's classes.

    It has the `_ElmoCharacterEncoder` and the `ElmoLstm` of an `_ElmoBiLm`, and one
    `SampledSoftmaxLoss` for both directions.

    # Parameters

    folder : `Path`
        Folder with `options.json` and `weights.hdf5`.
    softmax : `Softmax`
        Softmax of the plugin, whose weights are copied.
    num_samples : `int`
        Number of sampled words for the training softmax of each direction.
    """

    def __init__(self, folder: Path, softmax: Softmax, num_samples: int) -> None:
        super().__init__()
        files = (str(folder / "options.json"), str(folder / "weights.hdf5"))
        bilm = _ElmoBiLm(*files, requires_grad=True)
        self.encoder, self.lstm = bilm._token_embedder, bilm._elmo_lstm
        num_words, size = softmax.weight.shape
        self.softmax = SampledSoftmaxLoss(num_words, size, num_samples)
        self.softmax.load_state_dict({"softmax_w": softmax.weight, "softmax_b": softmax.bias})

    def forward(self, batch: Batch) -> torch.Tensor:
        """
        Computes the loss of both directions.

        # Parameters

        batch : `Batch`
            Inputs and targets. Both directions read `forward_ids`.

        # Returns

        `torch.Tensor`
            Shape (2,), float32: mean loss per token, forward and backward.
        """
        ids = batch.forward_ids
        # All streams form one sentence, so that only two boundaries are added and cut off again.
        words = self.encoder(ids.flatten(0, 1).unsqueeze(0))["token_embedding"][0, 1:-1]
        words = self._drop(words).view(*ids.shape[:2], -1)
        top = self.lstm(words, ids.new_ones(ids.shape[:2], dtype=torch.bool))[-1]
        halves = self._drop(top).flatten(0, 1).chunk(2, dim=-1)
        losses = [
            self.softmax(half, targets.flatten())
            for half, targets in zip(halves, (batch.following, batch.preceding))
        ]
        return torch.stack(losses) / batch.following.numel()

    def _drop(self, vectors: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(vectors, DROPOUT, self.training)


def measure_language_model(settings: Settings) -> Section:
    """
    Times training steps of `training_configs/bidirectional_lm.jsonnet`, interleaved on both sides.

    A training step takes the next window of 20 tokens in each of 64 streams: forward with dropout,
    a sampled softmax, backward, clipped gradients and Adam. The state carries on from window to
    window. The batches are tensors beforehand, so neither the reader nor the trainer is timed. A
    token counts once, although both directions read it. The vocabulary is that of the sentences.

    The plugin's side is the model `bidirectional_lm` with its metrics. AllenNLP's side has the same
    parameters and the same number of predictions, but differs in four ways:

    - Its `ElmoLstm` gives both directions the tokens of the forward windows, and each token
      predicts the words after and before it. So its character CNN reads half as many tokens. It
      computes all of them, while the plugin's computes each word of a batch once.
    - Backward, the state of a window comes from the beginning of the window before it.
    - It has no dropout between its layers.
    - Each direction draws its own sample of words.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Throughput for the shape of that config alone in float32, and agreement of the forward
        losses before the training, by the full softmax and without dropout.
    """
    vocab = _vocabulary_of(settings.sentences)
    num_words = vocab.get_vocab_size()
    num_samples = min(NUM_SAMPLES, num_words // 2)
    batches = _batches_of(settings.sentences, vocab)
    tokens = sum(batch.following.numel() for batch in batches)
    torch.manual_seed(0)
    plugin = BidirectionalLm(vocab, ElmoBilm(OPTIONS), num_samples, DROPOUT)
    with TemporaryDirectory() as folder:
        plugin.bilm.to_folder(folder)
        allennlp = AllennlpLanguageModel(Path(folder), plugin.softmax, num_samples)
    difference = abs(_plugin_loss(plugin, batches) - _allennlp_loss(allennlp, batches))
    tasks = {
        ALLENNLP: _training_of(allennlp, partial(_run_allennlp, allennlp), batches),
        PLUGIN: _training_of(plugin, partial(_run_plugin, plugin), batches),
    }
    for train in tasks.values():
        train()
    seconds = interleaved_medians(tasks, settings.rounds)
    row: Dict[str, Any] = {
        "shape": SHAPE,
        "streams": STREAMS,
        "timesteps": TIMESTEPS,
        "words": num_words,
        "samples": num_samples,
        "tokens": tokens,
        "seconds": seconds[PLUGIN],
        "allennlp_seconds": seconds[ALLENNLP],
        "ratio": seconds[ALLENNLP] / seconds[PLUGIN],
        "loss_difference": difference,
    }
    table = Table(
        f"Training {SHAPE} as a language model in float32, {STREAMS} streams of {TIMESTEPS}\n"
        f"tokens and {num_samples} of {num_words} words sampled: throughput in tokens per second;\n"
        "difference of the forward losses before the training",
        ("shape", ALLENNLP, PLUGIN, "ratio", "agreement"),
        [
            (
                SHAPE,
                *(f"{tokens / seconds[side]:.0f}" for side in (ALLENNLP, PLUGIN)),
                times(row["ratio"]),
                f"{difference:.1e}",
            )
        ],
    )
    return Section({"language_model": [row]}, [table])


def _vocabulary_of(sentences: Iterable[Sentence]) -> Vocabulary:
    """Returns a vocabulary of the words and boundaries; the most frequent word comes first."""
    words = Counter(word for s in sentences for word in sentence_window(s).forward)
    return Vocabulary({"tokens": words})


def _batches_of(sentences: Iterable[Sentence], vocab: Vocabulary) -> List[Batch]:
    """Returns batches of consecutive full windows."""
    # One window more than batches: the first batch predicts words of the window before it.
    streamed = list(islice(stream_windows(cycle(sentences), STREAMS, TIMESTEPS), WINDOWS + 1))
    return [_batch_of(before, windows, vocab) for before, windows in zip(streamed, streamed[1:])]


def _batch_of(before: List[Window], windows: List[Window], vocab: Vocabulary) -> Batch:
    # The last token of a window is the first one of the next.
    preceding = [
        [earlier.forward[-2], *window.forward[:-2]] for earlier, window in zip(before, windows)
    ]
    return Batch(
        forward_ids=character_ids([window.forward[:-1] for window in windows]),
        backward_ids=character_ids([window.backward[:-1] for window in windows]),
        following=_word_ids([window.forward[1:] for window in windows], vocab),
        preceding=_word_ids(preceding, vocab),
        backward_targets=_word_ids([window.backward[1:] for window in windows], vocab),
    )


def _word_ids(rows: Sequence[Sequence[str]], vocab: Vocabulary) -> torch.Tensor:
    return torch.tensor([[vocab.get_token_index(word) for word in row] for row in rows])


def _run_plugin(model: BidirectionalLm, number: int, batch: Batch) -> torch.Tensor:
    output = model(
        forward_inputs={"elmo": {"elmo_tokens": batch.forward_ids}},
        forward_targets={"tokens": {"tokens": batch.following}},
        backward_inputs={"elmo": {"elmo_tokens": batch.backward_ids}},
        backward_targets={"tokens": {"tokens": batch.backward_targets}},
        metadata=[{"stream": stream, "window": number} for stream in range(STREAMS)],
    )
    return output["loss"]


def _run_allennlp(model: AllennlpLanguageModel, number: int, batch: Batch) -> torch.Tensor:
    if number == 0:
        model.lstm.reset_states()
    return model(batch).mean()


def _plugin_loss(model: BidirectionalLm, batches: List[Batch]) -> float:
    """Returns the plugin's forward loss over all batches at evaluation."""
    model.eval()
    with torch.no_grad():
        for number, batch in enumerate(batches):
            _run_plugin(model, number, batch)
    return model.get_metrics(reset=True)["forward_loss"]


def _allennlp_loss(model: AllennlpLanguageModel, batches: List[Batch]) -> float:
    """Returns AllenNLP's forward loss over all batches at evaluation."""
    model.eval()
    with torch.no_grad():
        losses = [float(model(batch)[0]) for batch in batches]
    return sum(losses) / len(losses)


def _training_of(
    model: torch.nn.Module, run: Callable[[int, Batch], torch.Tensor], batches: List[Batch]
) -> Callable[[], None]:
    """Returns a function that trains on all batches; the state starts from zeros."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    model.train()

    def train() -> None:
        for number, batch in enumerate(batches):
            optimizer.zero_grad(set_to_none=True)
            run(number, batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
            optimizer.step()

    return train
