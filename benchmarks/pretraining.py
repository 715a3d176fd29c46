"""
How fast a biLM is trained: steps of language modelling, in tokens per second.
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
from allennlp_elmo_plugin.language_model.windows import Window, pack_into_windows, sentence_window
from benchmarks.report import Section, Table, times
from benchmarks.sentences import Sentence
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, character_ids
from benchmarks.timing import interleaved_medians

__all__ = ["measure_pretraining"]

SHAPE = "2x256_128"
OPTIONS = ElmoOptions(
    filters=((1, 16), (2, 16), (3, 32), (4, 64), (5, 128)),
    projection_dim=128,
    cell_size=256,
    num_layers=2,
    cell_clip=3.0,
    proj_clip=3.0,
)
ROWS = 64
STEPS = 20
# In a row, before the state starts from zeros again.
WINDOWS = 4
SAMPLES = 1024
DROPOUT = 0.1
LEARNING_RATE = 0.001
GRADIENT_NORM = 1.0
PLUGIN = "plugin"


class Batch(NamedTuple):
    """
    The next window of each row, as both sides read it.

    # Parameters

    forward_ids, backward_ids : `torch.Tensor`
        Shape (rows, steps, 50), int64: the characters of the tokens that each direction reads.
    following, preceding : `torch.Tensor`
        Shape (rows, steps), int64: the words after and before each token of `forward_ids`.
    backward_targets : `torch.Tensor`
        Shape (rows, steps), int64: the words after each token of `backward_ids`.
    """

    forward_ids: torch.Tensor
    backward_ids: torch.Tensor
    following: torch.Tensor
    preceding: torch.Tensor
    backward_targets: torch.Tensor


class AllennlpLanguageModel(torch.nn.Module):
    """
    A biLM to be trained, made of AllenNLP's classes: `_ElmoBiLm`, with its `_ElmoCharacterEncoder`
    and `ElmoLstm`, and one `SampledSoftmaxLoss` for both directions.

    # Parameters

    folder : `Path`
        The folder with `options.json` and `weights.hdf5`.
    softmax : `Softmax`
        The plugin's, whose weights it starts from.
    num_samples : `int`
        How many words of the vocabulary each direction is measured against in training.
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
        # Parameters

        batch : `Batch`
            Both directions read `forward_ids`.

        # Returns

        `torch.Tensor`
            Shape (2,), float32: the mean loss of a token, forward and backward.
        """
        ids = batch.forward_ids
        # All rows are one sentence, so that only two boundaries are added, and left out again.
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


def measure_pretraining(settings: Settings) -> Section:
    """
    Times steps of the training that `training_configs/bidirectional_lm.jsonnet` describes, on both
    sides, interleaved: the next window of 20 tokens in each of 64 rows, forward with dropout, a
    sampled softmax, backward, clipped gradients and Adam. The state goes on from window to window.
    The batches are tensors beforehand, so that neither reading nor the trainer is in the time. A
    token counts once, though both directions read it. The vocabulary is that of the sentences.

    The plugin's side is the model `bidirectional_lm`, with its metrics. AllenNLP's has the same
    parameters and as many predictions, but its `ElmoLstm` gives both directions the same tokens:
    those of the forward windows, each of which predicts the words after and before it. So half as
    many tokens go through its character CNN, which computes them one by one, while the plugin's
    computes each word of a batch once; and backward, a window starts where the one before it
    began. Nothing is dropped between its layers, and each direction draws a sample of its own.

    # Parameters

    settings : `Settings`

    # Returns

    `Section`
        For the shape of that config alone, in float32: speed, and how the forward losses agree
        before the training, by the whole softmax and without dropout.
    """
    vocab = _vocabulary_of(settings.sentences)
    num_words = vocab.get_vocab_size()
    num_samples = min(SAMPLES, num_words // 2)
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
        "rows": ROWS,
        "steps": STEPS,
        "words": num_words,
        "samples": num_samples,
        "tokens": tokens,
        "seconds": seconds[PLUGIN],
        "allennlp_seconds": seconds[ALLENNLP],
        "ratio": seconds[ALLENNLP] / seconds[PLUGIN],
        "loss_difference": difference,
    }
    table = Table(
        f"Training {SHAPE} as a language model in float32, {ROWS} rows of {STEPS} tokens, with\n"
        f"{num_samples} of {num_words} words sampled: tokens per second; difference of\n"
        "the forward losses before the training",
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
    return Section({"pretraining": [row]}, [table])


def _vocabulary_of(sentences: Iterable[Sentence]) -> Vocabulary:
    """The words with the boundaries, in the order of falling frequency."""
    words = Counter(word for s in sentences for word in sentence_window(s).forward)
    return Vocabulary({"tokens": words})


def _batches_of(sentences: Iterable[Sentence], vocab: Vocabulary) -> List[Batch]:
    """Full windows that follow each other; the first has one before it, for its first words."""
    packed = list(islice(pack_into_windows(cycle(sentences), ROWS, STEPS), WINDOWS + 1))
    return [_batch_of(before, windows, vocab) for before, windows in zip(packed, packed[1:])]


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
        metadata=[{"stream": row, "window": number} for row in range(ROWS)],
    )
    return output["loss"]


def _run_allennlp(model: AllennlpLanguageModel, number: int, batch: Batch) -> torch.Tensor:
    if number == 0:
        model.lstm.reset_states()
    return model(batch).mean()


def _plugin_loss(model: BidirectionalLm, batches: List[Batch]) -> float:
    """The forward loss over all batches, at evaluation."""
    model.eval()
    with torch.no_grad():
        for number, batch in enumerate(batches):
            _run_plugin(model, number, batch)
    return model.get_metrics(reset=True)["forward_loss"]


def _allennlp_loss(model: AllennlpLanguageModel, batches: List[Batch]) -> float:
    """The same on AllenNLP's side."""
    model.eval()
    with torch.no_grad():
        losses = [float(model(batch)[0]) for batch in batches]
    return sum(losses) / len(losses)


def _training_of(
    model: torch.nn.Module, run: Callable[[int, Batch], torch.Tensor], batches: List[Batch]
) -> Callable[[], None]:
    """Trains on all batches, from zeros."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    model.train()

    def train() -> None:
        for number, batch in enumerate(batches):
            optimizer.zero_grad(set_to_none=True)
            run(number, batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
            optimizer.step()

    return train
