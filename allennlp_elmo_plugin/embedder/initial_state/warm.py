"""
The initial state to which the biLM converges on a short warm-up text.
"""

import logging
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.warm_up_sentences import WARM_UP_SENTENCES
from allennlp_elmo_plugin.io.locks import ForkSafeLock
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

__all__ = ["WarmState"]

logger = logging.getLogger(__name__)

TOLERANCE = 1e-5
WARNING_TOLERANCE = 1e-2
BATCH_SIZE = 64
MAX_TOKENS, MAX_TOKENS_OF_SENTENCE = 20_000, 512


@InitialState.register("warm")
class WarmState(InitialState):
    """
    The state to which the biLM converges on a short warm-up text.

    A sentence's vectors then depend on the sentence alone, as with `zero`. They are nearer to the
    vectors of a sentence inside a longer text, on which the biLM was trained.

    Each warm-up sentence is read again and again, each time from the state that the last reading
    ended in, until that state stays the same. The mean over the sentences is the state to start
    from. It is computed once, before the first batch, and saved with the model. A biLM that is
    trained starts from the state to which it converged before the first training step.

    Registered as an `InitialState` with name "warm".

    # Parameters

    sentences : `Union[str, List[str]]`, optional (default = `None`)
        The warm-up text: sentences whose tokens are separated by spaces, or the path or URL of a
        text file of them in UTF-8, one a line. Sentences of the text to be embedded are best, above
        all if it is not English. `None` is the plugin's own text of 16 sentences.
    repeats : `int`, optional (default = `20`)
        The largest number of readings. Reading ends earlier when no element of the state changes
        by more than 1e-5. AllenNLP's built-in converges in about 12.

    # Raises

    `ConfigurationError`
        When there are no sentences or more than 20,000 tokens, when a sentence has more than 512,
        or when `repeats` is less than 1.
    """

    hidden: torch.Tensor
    cell: torch.Tensor

    def __init__(self, sentences: Union[str, List[str], None] = None, repeats: int = 20) -> None:
        super().__init__()
        if repeats < 1:
            raise ConfigurationError(
                f"Expected 'repeats' of the initial state 'warm' to be at least 1, got {repeats}."
            )
        # The file is read when it is needed: an archive holds the state and may lack the file.
        self._file = sentences if isinstance(sentences, str) else None
        self._sentences: Sequence[str] = WARM_UP_SENTENCES
        if isinstance(sentences, list):
            self._sentences = _without_empty(sentences, "'sentences'")
        self._repeats = repeats
        self._lock = ForkSafeLock()

    @overrides
    def uncacheable_reason(self) -> Optional[str]:
        """Returns `None`: a sentence's layers depend on it alone."""
        return None

    @overrides
    def allocate(self, bilm: ElmoBilm) -> None:
        """
        Makes the buffers `hidden` and `cell`, which are NaN until `prepare`.

        Their shapes are (2 directions, num_layers, 1, projection_dim) and (2 directions,
        num_layers, 1, cell_size).

        # Parameters

        bilm : `ElmoBilm`
            The biLM. Its weights may still be missing.
        """
        for name, part in zip(LstmState._fields, bilm.zero_state(1)):
            self.register_buffer(name, torch.full_like(part, float("nan")))

    @overrides
    def prepare(self, bilm: ElmoBilm) -> None:
        """
        Computes the state, unless it was computed or loaded before.

        One thread computes it, and the others wait.

        # Parameters

        bilm : `ElmoBilm`
            The biLM with its weights.

        # Raises

        `ConfigurationError`
            When the file of sentences cannot be read, or the state is not finite.
        """
        if self._is_unknown():
            with self._lock.current:
                # Another thread may have been first.
                if self._is_unknown():
                    self._compute(bilm)

    def _is_unknown(self) -> bool:
        return bool(self.hidden[0, 0, 0, 0].isnan())

    def _compute(self, bilm: ElmoBilm) -> None:
        sentences = self._sentences if self._file is None else _read_lines(self._file)
        source = "'sentences'" if self._file is None else f"the file '{self._file}'"
        tokenized = _require_few([sentence.split() for sentence in sentences], source)
        character_ids = bilm.options.spelling.spell_sentences(tokenized)
        # Tensors made in inference mode could not be used in training.
        with torch.inference_mode(False), torch.no_grad():
            self._converge(bilm, character_ids.to(self.hidden.device))

    @overrides
    def start(self, zeros: LstmState) -> LstmState:
        """
        Returns the same state for each row.

        # Parameters

        zeros : `LstmState`
            A state of zeros for the batch.

        # Returns

        `LstmState`
        """
        rows = zeros.hidden.size(2)
        return LstmState(
            self.hidden.to(zeros.hidden).expand(-1, -1, rows, -1),
            self.cell.to(zeros.cell).expand(-1, -1, rows, -1),
        )

    def _converge(self, bilm: ElmoBilm, character_ids: torch.Tensor) -> None:
        with torch.autocast(self.hidden.device.type, enabled=False):
            converged = [
                _converge(bilm, chunk, self._repeats) for chunk in character_ids.split(BATCH_SIZE)
            ]
        states, changes = zip(*converged)
        change = max(changes)
        if not change < WARNING_TOLERANCE:
            logger.warning(
                "The state of the biLM has not converged: the last of %d readings of the warm-up "
                "text changed it by up to %.2g. It is used anyway; more 'repeats' may help.",
                self._repeats,
                change,
            )
        mean = LstmState(*(torch.cat(parts, dim=2).mean(2, keepdim=True) for parts in zip(*states)))
        if not all(part.isfinite().all() for part in mean):
            raise ConfigurationError(
                "Expected a finite state of the biLM after the warm-up text, got infinite numbers "
                "or NaN. Are its weights damaged?"
            )
        # The element that is looked at comes last: then other threads see the state as a whole.
        unfinished = mean.hidden.clone()
        unfinished[0, 0, 0, 0] = float("nan")
        self.cell.copy_(mean.cell)
        self.hidden.copy_(unfinished)
        self.hidden.copy_(mean.hidden)

    def _load_from_state_dict(
        self, state_dict: Dict[str, torch.Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # A model saved with another initial state has none. NaN lets `prepare` compute it from the
        # weights that are loaded now.
        for name in LstmState._fields:
            unknown = torch.full_like(getattr(self, name), float("nan"))
            state_dict.setdefault(prefix + name, unknown)
        # A thread that is computing the state uses the weights from before.
        with self._lock.current:
            super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _converge(bilm: ElmoBilm, character_ids: torch.Tensor, repeats: int) -> Tuple[LstmState, float]:
    """Returns the state to which each row converges, and its largest change in the last reading."""
    batch = SentenceBatch.from_padded(character_ids, bilm.options.spelling)
    words = batch.distinct_words()
    vectors = bilm.char_cnn(words.character_ids).index_select(0, words.word_of_token)
    inputs = batch.layout.in_reading_order(vectors)
    state, change = bilm.zero_state(len(batch)), float("inf")
    for _ in range(repeats):
        _, new = bilm(inputs, batch.layout, state)
        change = max(float((part - old).abs().max()) for part, old in zip(new, state))
        state = new
        if change <= TOLERANCE:
            break
    return state, change


def _require_few(sentences: List[List[str]], source: str) -> List[List[str]]:
    """Refuses a whole corpus, which would be read for hours and says no more than its beginning."""
    longest, total = max(map(len, sentences)), sum(map(len, sentences))
    if longest > MAX_TOKENS_OF_SENTENCE or total > MAX_TOKENS:
        raise ConfigurationError(
            f"Expected at most {MAX_TOKENS:,} tokens in the sentences of the initial state 'warm', "
            f"and {MAX_TOKENS_OF_SENTENCE} in each, but {source} has {total:,}, and {longest:,} in "
            "one. A few sentences are enough: take the first of them."
        )
    return sentences


def _without_empty(sentences: Sequence[str], source: str) -> List[str]:
    kept = [sentence for sentence in sentences if sentence.split()]
    if not kept:
        raise ConfigurationError(
            f"Expected sentences for the initial state 'warm', but {source} has none."
        )
    return kept


def _read_lines(file: str) -> List[str]:
    lines = read_lines(file, "the file 'sentences' of the initial state 'warm'")
    return _without_empty(list(lines), f"the file '{file}'")
