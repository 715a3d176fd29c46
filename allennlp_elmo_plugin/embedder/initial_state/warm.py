"""
One state for every sentence to start from, that of a biLM which has been reading.
"""

import logging
from typing import Any, Dict, List, Sequence, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from overrides import overrides

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.warm_up_sentences import WARM_UP_SENTENCES
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.network.sentence_batch import Sentences
from allennlp_elmo_plugin.network.spelling import spell_word

__all__ = ["WarmState"]

logger = logging.getLogger(__name__)

SETTLED = 1e-5
UNSETTLED = 1e-2
SENTENCES_AT_ONCE = 64


@InitialState.register("warm")
class WarmState(InitialState):
    """
    Every sentence starts from the one state that the biLM settles into while it reads a warm-up
    text. A sentence's vectors then depend on it alone, as from `zero`, and are nearer to those
    that the biLM gives within a text, which is how it was trained.

    Each warm-up sentence is read again and again, each time from where the last time ended, until
    the state that it ends in stays the same. The state to start from is the mean of these. It is
    found once, before the first batch, and saved with the model. A biLM that is trained starts
    from the state that it settled into before the first step.

    Registered as an `InitialState` with name "warm".

    # Parameters

    sentences : `Union[str, List[str]]`, optional (default = `None`)
        The warm-up text: sentences whose tokens are separated by spaces, or a text file of them
        in UTF-8, one a line. Some sentences of the text to be embedded are best, all the more if
        it is of another language than English. By default a few that come with the plugin.
    repeats : `int`, optional (default = `20`)
        How often the text is read at most. It ends earlier when no number of the state changes by
        more than 1e-5. AllenNLP's built-in settles in about 12.

    # Raises

    `ConfigurationError`
        When there are no sentences, or `repeats` is less than 1.
    """

    is_pure = True

    hidden: torch.Tensor
    cell: torch.Tensor

    def __init__(self, sentences: Union[str, List[str], None] = None, repeats: int = 20) -> None:
        super().__init__()
        if repeats < 1:
            raise ConfigurationError(
                f"Expected 'repeats' of the initial state 'warm' to be at least 1, got {repeats}."
            )
        # A file is read when it is needed: an archive has the state, and need not have the file.
        self._file = sentences if isinstance(sentences, str) else None
        self._sentences: Sequence[str] = WARM_UP_SENTENCES
        if isinstance(sentences, list):
            self._sentences = _checked(sentences, "'sentences'")
        self._repeats = repeats

    @overrides
    def fit(self, bilm: ElmoBilm) -> None:
        """
        Makes room for the state: `hidden`, of shape (2 directions, num_layers, 1,
        projection_dim), and `cell`, of shape (2 directions, num_layers, 1, cell_size). They are
        NaN until it is settled.

        # Parameters

        bilm : `ElmoBilm`
            The biLM. Its weights may still be missing.
        """
        for name, part in zip(LstmState._fields, bilm.lstm.zero_state(1)):
            self.register_buffer(name, torch.full_like(part, float("nan")))

    @overrides
    def settle(self, bilm: ElmoBilm) -> None:
        """
        Reads the warm-up text, unless that was done before or the state was loaded.

        # Parameters

        bilm : `ElmoBilm`
            The biLM.

        # Raises

        `ConfigurationError`
            When the file of sentences cannot be read, or the state grows beyond all numbers.
        """
        if not self.hidden[0, 0, 0, 0].isnan():
            return
        sentences = self._sentences if self._file is None else _lines(self._file)
        # What is made in inference mode could not be used in training.
        with torch.inference_mode(False), torch.no_grad():
            self._read(bilm, _spelled(sentences, bilm))

    @overrides
    def start(self, zeros: LstmState) -> LstmState:
        """
        # Parameters

        zeros : `LstmState`
            A state of zeros for the batch.

        # Returns

        `LstmState`
            The settled state, in each row.
        """
        rows = zeros.hidden.size(2)
        return LstmState(
            self.hidden.to(zeros.hidden).expand(-1, -1, rows, -1),
            self.cell.to(zeros.cell).expand(-1, -1, rows, -1),
        )

    def _read(self, bilm: ElmoBilm, character_ids: torch.Tensor) -> None:
        with torch.autocast(self.hidden.device.type, enabled=False):
            settled = [
                _settle(bilm, chunk, self._repeats)
                for chunk in character_ids.split(SENTENCES_AT_ONCE)
            ]
        states, changes = zip(*settled)
        change = max(changes)
        if not change < UNSETTLED:
            logger.warning(
                "The state of the biLM has not settled: the last of %d readings of the warm-up "
                "text changed it by up to %.2g. It is used all the same; more 'repeats' may help.",
                self._repeats,
                change,
            )
        for name, parts in zip(LstmState._fields, zip(*states)):
            mean = torch.cat(parts, dim=2).mean(dim=2, keepdim=True)
            if not mean.isfinite().all():
                raise ConfigurationError(
                    "The biLM's state is not finite after the warm-up text. Are its weights "
                    "damaged?"
                )
            getattr(self, name).copy_(mean)

    def _load_from_state_dict(
        self, state_dict: Dict[str, torch.Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # What was saved with another initial state has none: the text is then read again, by the
        # weights that come with it.
        for name in LstmState._fields:
            unsettled = torch.full_like(getattr(self, name), float("nan"))
            state_dict.setdefault(prefix + name, unsettled)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _settle(bilm: ElmoBilm, character_ids: torch.Tensor, repeats: int) -> Tuple[LstmState, float]:
    """The state in which each row settles, and its largest change in the last reading."""
    sentences = Sentences.from_padded(character_ids, character_ids.size(-1))
    tokens = sentences.pad(bilm.char_cnn(sentences.character_ids))
    state, change = bilm.lstm.zero_state(len(character_ids)), float("inf")
    for _ in range(repeats):
        _, new = bilm(tokens, sentences.lengths, state)
        change = max(float((part - old).abs().max()) for part, old in zip(new, state))
        state = new
        if change <= SETTLED:
            break
    return state, change


def _spelled(sentences: Sequence[str], bilm: ElmoBilm) -> torch.Tensor:
    """Shape (sentences, words, characters), int64."""
    width = bilm.options.max_characters_per_token
    spelled = [
        torch.tensor([spell_word(word, width) for word in sentence.split()])
        for sentence in sentences
    ]
    padded = torch.nn.utils.rnn.pad_sequence(spelled, batch_first=True)
    return padded.to(next(bilm.parameters()).device)


def _checked(sentences: Sequence[str], source: str) -> List[str]:
    kept = [sentence for sentence in sentences if sentence.split()]
    if not kept:
        raise ConfigurationError(
            f"Expected sentences for the initial state 'warm', but {source} has none."
        )
    return kept


def _lines(file: str) -> List[str]:
    try:
        path = cached_path(file)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"The initial state 'warm' names the file '{file}' in 'sentences', but there is no "
            "such file. Give its path, or the sentences themselves in a list."
        ) from error
    with open(path, encoding="utf-8") as lines:
        return _checked(lines.read().splitlines(), f"the file '{file}'")
