"""
The encoder that runs any PyTorch module with the interface of AllenNLP's `_ElmoBiLm`.
"""

from typing import Any, List, Mapping, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder, EncodedSentences
from allennlp_elmo_plugin.network.sentence_batch import SentenceBatch

__all__ = ["ModuleEncoder"]


class ModuleEncoder(ElmoEncoder):
    """
    An encoder that runs a module with the interface of AllenNLP's `_ElmoBiLm`.

    The module has an attribute `num_layers`, which counts all layers, and a method
    `get_output_dim`. It is called with character ids, of shape (batch, timesteps, characters), and
    with word ids or `None`. It returns a dictionary with two entries. `activations` has a tensor
    for each layer, of shape (batch, timesteps + 2, output_dim): the tokens of a row between two
    boundaries. `mask` has the shape (batch, timesteps + 2), `True` = token or boundary. Any number
    of characters and any character ids are allowed.

    # Parameters

    module : `torch.nn.Module`
        The module.
    reads_word_ids : `bool`, optional (default = `False`)
        If `True`, word ids are handed to the module; otherwise they are an error.

    # Raises

    `ConfigurationError`
        When the module lacks a part of the interface.
    """

    def __init__(self, module: torch.nn.Module, reads_word_ids: bool = False) -> None:
        super().__init__()
        lacks = [name for name in ("num_layers", "get_output_dim") if not hasattr(module, name)]
        if lacks:
            raise ConfigurationError(
                "Expected a 'module' with the number of its layers as 'num_layers' and the size of "
                f"their vectors as 'get_output_dim()', but {type(module).__name__} lacks "
                f"'{lacks[0]}'. AllenNLP's `_ElmoBiLm` is an example."
            )
        self.module = module
        self.reads_word_ids = reads_word_ids
        self.num_representations = int(module.num_layers)  # type: ignore[arg-type]

    @overrides
    def get_output_dim(self) -> int:
        """Returns the module's own `get_output_dim()`."""
        return self.module.get_output_dim()  # type: ignore[operator]

    @overrides
    def make_batch(
        self, character_ids: torch.Tensor, word_ids: Optional[torch.Tensor] = None
    ) -> SentenceBatch:
        """
        Builds a batch without checking ids, which are the module's own.

        # Parameters

        character_ids : `torch.Tensor`
            Shape (batch, timesteps, characters), int64. A token of zeros is padding.
        word_ids : `torch.Tensor`, optional (default = `None`)
            Shape (batch, timesteps), int64.

        # Returns

        `SentenceBatch`

        # Raises

        `ConfigurationError`
            When word ids are given that the module does not read.
        """
        if word_ids is not None and not self.reads_word_ids:
            raise ConfigurationError(
                "Got 'word_inputs', but a 'module' that does not read them. Give the word list of "
                "the module as 'vocab_to_cache', too, or leave 'word_inputs' out."
            )
        num_tokens = (character_ids > 0).any(dim=-1).sum(dim=1).tolist()
        return SentenceBatch(character_ids, word_ids, num_tokens, adds_boundaries=True)

    @overrides
    def forward(
        self, batch: SentenceBatch, num_representations: Optional[int] = None
    ) -> EncodedSentences:
        """
        Runs the module.

        # Parameters

        batch : `SentenceBatch`
            The sentences, between boundaries.
        num_representations : `int`, optional (default = `None`)
            The number of layers to return, from the first. The module computes all of them.

        # Returns

        `EncodedSentences`

        # Raises

        `ConfigurationError`
            When the module returns something else than the class describes.
        """
        activations, mask = self._run(batch)
        shape = (len(batch), batch.timesteps, self.get_output_dim())
        found = [tuple(layer.shape) for layer in activations]
        if found != [shape] * self.num_representations:
            raise ConfigurationError(
                f"Expected {self.num_representations} layers of shape {shape} as 'activations' of "
                f"{type(self.module).__name__}, got shapes {found}. Each row holds its tokens "
                "between two sentence boundaries."
            )
        if not torch.equal(mask.bool(), batch.mask):
            raise ConfigurationError(
                f"Expected {type(self.module).__name__} to return a 'mask' that is True at the "
                "tokens of each row and at its two boundaries, but it differs from that. Tokens "
                "stand at the beginning of a row, and those of zeros are padding."
            )
        layers = torch.stack(activations[:num_representations])
        return EncodedSentences(layers.masked_fill(~batch.mask.unsqueeze(-1), 0.0), batch.mask)

    def _run(self, batch: SentenceBatch) -> Tuple[List[torch.Tensor], torch.Tensor]:
        output: Any = self.module(batch.character_ids, batch.word_ids)
        if not isinstance(output, Mapping) or not {"activations", "mask"} <= set(output):
            found = list(output) if isinstance(output, Mapping) else ""
            raise ConfigurationError(
                f"Expected {type(self.module).__name__} to return a dictionary with 'activations' "
                f"and 'mask', got {type(output).__name__}{found}."
            )
        return list(output["activations"]), output["mask"]
