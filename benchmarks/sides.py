"""
Two sides of every comparison: AllenNLP's own embedder, and the plugin's in each precision.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from allennlp.common import Lazy, Params
from allennlp.modules import TokenEmbedder
from allennlp.modules.elmo import batch_to_ids
from allennlp.modules.elmo_lstm import ElmoLstm

from allennlp_elmo_plugin import CarryState, ElmoEncoder, ElmoTokenEmbedder, NoWordCache, WordCache
from benchmarks.builtin import BuiltInEmbedder
from benchmarks.sentences import Sentence

__all__ = ["ALLENNLP", "PRECISIONS", "build_embedder", "character_ids", "forget_state"]

ALLENNLP = "AllenNLP"
PRECISIONS = ("float32", "bfloat16", "int8")


def build_embedder(
    side: str,
    folder: Path,
    requires_grad: bool = False,
    scalar_mix_parameters: Optional[List[float]] = None,
    word_cache: Optional[WordCache] = None,
) -> TokenEmbedder:
    """
    Loads an embedder without dropout.

    It carries its state from batch to batch, which is the default on both sides.

    # Parameters

    side : `str`
        `ALLENNLP`, which is always in float32, or one of `PRECISIONS` for the plugin's embedder.
    folder : `Path`
        Folder with `options.json` and `weights.hdf5`.
    requires_grad : `bool`, optional (default = `False`)
        If `True`, train the biLM.
    scalar_mix_parameters : `List[float]`, optional (default = `None`)
        Fixed weights of the layers, before the softmax; `None` is learned weights.
    word_cache : `WordCache`, optional (default = `NoWordCache()`)
        Word cache of the plugin's embedder. AllenNLP's ignores it.

    # Returns

    `TokenEmbedder`
        Embedder in training mode, like any new module.
    """
    files = (str(folder / "options.json"), str(folder / "weights.hdf5"))
    common: Dict[str, Any] = {
        "dropout": 0.0,
        "requires_grad": requires_grad,
        "scalar_mix_parameters": scalar_mix_parameters,
    }
    if side == ALLENNLP:
        return BuiltInEmbedder(*files, **common)
    encoder = Lazy(ElmoEncoder, Params({"type": "bilm", "precision": side}))
    return ElmoTokenEmbedder(
        *files, **common, encoder=encoder, word_cache=word_cache or NoWordCache()
    )


def forget_state(embedder: TokenEmbedder) -> None:
    """
    Resets the carried state, so that the next batch starts from zeros.

    # Parameters

    embedder : `TokenEmbedder`
        Embedder of either side.
    """
    for module in embedder.modules():
        if isinstance(module, (CarryState, ElmoLstm)):
            module.reset_states()


def character_ids(batch: List[Sentence]) -> torch.Tensor:
    """
    Returns the character ids of a batch, which embedders of both sides read.

    # Parameters

    batch : `List[Sentence]`
        Sentences of the batch.

    # Returns

    `torch.Tensor`
        Shape (batch, timesteps, 50), int64.
    """
    return batch_to_ids(batch)
