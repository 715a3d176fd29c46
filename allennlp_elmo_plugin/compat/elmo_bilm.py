"""
A biLM with the interface of AllenNLP's `_ElmoBiLm`.
"""

from typing import Dict, List, Optional, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.components import build_encoder
from allennlp_elmo_plugin.embedder.initial_state.carry import CarryState
from allennlp_elmo_plugin.embedder.word_cache.vocabulary import VocabularyWordCache
from allennlp_elmo_plugin.network.bidirectional_lstm import LstmState

__all__ = ["_ElmoBiLm"]

States = Tuple[torch.Tensor, ...]


class _ElmoBiLm(torch.nn.Module):
    """
    A biLM with the interface of AllenNLP's class of this name, run by a `BilmEncoder`.

    It gives padded layers as a list, and carries its state from batch to batch. Parameters have
    AllenNLP's names. For a scalar mix of the layers use `Elmo`.

    # Parameters

    options_file : `str`
        The biLM's options: a path, a URL, a folder or archive that holds them, or a name such as
        `published:original` or `pretrained:small`.
    weight_file : `str`
        The biLM's weights: the same. `allennlp elmo-models` lists the names.
    requires_grad : `bool`, optional (default = `False`)
        If `True`, train the biLM.
    vocab_to_cache : `List[str]`, optional (default = `None`)
        Words whose vectors are computed beforehand, in the order of their ids; the first is the
        entry for padding. `None` or an empty list is no such list.

    # Raises

    `ConfigurationError`
        When a file is missing, damaged or does not fit the other.
    """

    encoder: BilmEncoder
    """The encoder that runs the biLM."""

    def __init__(
        self,
        options_file: str,
        weight_file: str,
        requires_grad: bool = False,
        vocab_to_cache: Optional[List[str]] = None,
    ) -> None:
        super().__init__()
        encoder = build_encoder(options_file, weight_file, requires_grad, vocab_to_cache or None)
        self._adopt(encoder)

    @classmethod
    def from_encoder(cls, encoder: BilmEncoder) -> "_ElmoBiLm":
        """
        Builds the biLM around an encoder, whose modules the two then share.

        # Parameters

        encoder : `BilmEncoder`
            The encoder.

        # Returns

        `_ElmoBiLm`

        # Raises

        `ConfigurationError`
            When it is another kind of encoder.
        """
        bilm = cls.__new__(cls)
        torch.nn.Module.__init__(bilm)
        bilm._adopt(encoder)
        return bilm

    def _adopt(self, encoder: torch.nn.Module) -> None:
        if not isinstance(encoder, BilmEncoder):
            raise ConfigurationError(
                f"Expected a BilmEncoder, which runs a biLM, got {type(encoder).__name__}."
            )
        # Not registered, so the modules below it have the names and the order of AllenNLP's.
        object.__setattr__(self, "encoder", encoder)
        for name, module in encoder.named_children():
            self.add_module(name, module)
        self._elmo_lstm = _ElmoLstm(encoder)

    @property
    def num_layers(self) -> int:
        """The number of layers, the token layer included."""
        return self.encoder.num_representations

    def get_output_dim(self) -> int:
        """Returns the size of each vector of each layer: forward | backward."""
        return self.encoder.get_output_dim()

    def forward(
        self, inputs: torch.Tensor, word_inputs: Optional[torch.Tensor] = None
    ) -> Dict[str, Union[torch.Tensor, List[torch.Tensor]]]:
        """
        Computes the layers of a batch.

        # Parameters

        inputs : `torch.Tensor`
            Shape (batch, timesteps, characters), int64, as `batch_to_ids` returns it.
        word_inputs : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64: positions in the word list, 0 at padded positions. Not
            read without such a list: the vectors are the same.

        # Returns

        `Dict[str, Union[torch.Tensor, List[torch.Tensor]]]`
            `activations`, a list with a tensor for each layer, of shape
            (batch, timesteps + 2, output_dim), float32, exactly 0 at padded positions; and `mask`,
            of shape (batch, timesteps + 2), bool, `True` = token or boundary.

        # Raises

        `ConfigurationError`
            When a shape, a dtype or an id is not as described.
        """
        reads_word_ids = self.encoder.word_cache.reads_word_ids
        batch = self.encoder.make_batch(inputs, word_inputs if reads_word_ids else None)
        layers, mask = self.encoder(batch)
        return {"activations": list(layers.unbind()), "mask": mask}

    def create_cached_cnn_embeddings(self, tokens: List[str]) -> None:
        """
        Computes the vectors of words, so that `forward` looks them up by `word_inputs`.

        # Parameters

        tokens : `List[str]`
            The words, in the order of their ids. The first is the entry for padding.

        # Raises

        `ConfigurationError`
            When the list has no word beside that entry, or names one twice.
        """
        encoder, cache = self.encoder, VocabularyWordCache(tokens)
        is_trained = encoder.bilm.char_cnn.char_embedding.requires_grad
        cache.precompute(encoder.bilm.char_cnn, encoder.spelling, is_trained)
        encoder._word_embedding = self._word_embedding = cache


class _ElmoLstm(torch.nn.Module):
    """
    The LSTMs of a biLM, with the carried state where AllenNLP's `ElmoLstm` has it.

    # Parameters

    encoder : `BilmEncoder`
        The encoder that runs the LSTMs, with the initial state `carry` or another one.
    """

    _encoder: BilmEncoder

    stateful = True
    """`True`: AllenNLP resets the states of such modules before it compares two models."""

    def __init__(self, encoder: BilmEncoder) -> None:
        super().__init__()
        # Not registered, as in `_ElmoBiLm`.
        object.__setattr__(self, "_encoder", encoder)
        for name, module in encoder.bilm.lstm.named_children():
            self.add_module(name, module)

    @property
    def _carry(self) -> Optional[CarryState]:
        initial_state = self._encoder.initial_state
        return initial_state if isinstance(initial_state, CarryState) else None

    @property
    def _states(self) -> Optional[States]:
        """
        The carried state, or `None` if there is none.

        Two tensors of shapes (num_layers, rows, 2 * projection_dim) and
        (num_layers, rows, 2 * cell_size), float: hidden state and cell, forward | backward.
        """
        if self._carry is None or self._carry.remembered is None:
            return None
        return tuple(torch.cat(part.unbind(), dim=-1) for part in self._carry.remembered)

    @_states.setter
    def _states(self, states: Optional[States]) -> None:
        if states is None:
            self.reset_states()
            return
        if self._carry is None:
            name = type(self._encoder.initial_state).__name__
            raise ConfigurationError(
                f"Got a state to carry, but the initial state {name} carries none. Use the initial "
                "state 'carry'."
            )
        self._check(states)
        self._carry.remembered = LstmState(*(torch.stack(part.chunk(2, dim=-1)) for part in states))

    def reset_states(self, mask: Optional[torch.Tensor] = None) -> None:
        """
        Forgets the carried state, if there is one.

        # Parameters

        mask : `torch.Tensor`, optional (default = `None`)
            Shape (rows,), bool: `True` = forget the state of this row. `None` forgets every row.

        # Raises

        `ValueError`
            When the mask has another number of rows than the carried state.
        """
        if self._carry is not None:
            self._carry.reset_states(mask)

    def _check(self, states: States) -> None:
        options, found = self._encoder.bilm.options, [tuple(part.shape) for part in states]
        rows = found[0][1] if found and len(found[0]) == 3 else 0
        sizes = (options.projection_dim, options.cell_size)
        expected = [(options.num_layers, rows, 2 * size) for size in sizes]
        if found != expected:
            raise ConfigurationError(
                "Expected a state of two tensors, of the shapes "
                f"({options.num_layers}, rows, {2 * sizes[0]}) and "
                f"({options.num_layers}, rows, {2 * sizes[1]}), got shapes {found}."
            )
