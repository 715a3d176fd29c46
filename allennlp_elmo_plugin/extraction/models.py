"""
Loading the biLM that an extraction runs: from its two files, or from a trained model.
"""

import fnmatch
import os
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)
from zlib import crc32

import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from torch.nn import Module

from allennlp_elmo_plugin.archive.trained_model import load_trained_model
from allennlp_elmo_plugin.embedder.bilm_encoder import BilmEncoder
from allennlp_elmo_plugin.embedder.elmo import Elmo
from allennlp_elmo_plugin.embedder.encoder import ElmoEncoder
from allennlp_elmo_plugin.embedder.find_bilm import find_bilm
from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.embedder.initial_state.warm import WarmState
from allennlp_elmo_plugin.embedder.scalar_mix import ScalarMix
from allennlp_elmo_plugin.embedder.word_cache.lru import LruWordCache
from allennlp_elmo_plugin.network.elmo_bilm import ElmoBilm
from allennlp_elmo_plugin.weights import find_options_file, find_weight_file
from allennlp_elmo_plugin.weights.archives import archive_members, cache_folder, is_archive

__all__ = ["LoadedElmo", "digest_of_module", "digest_of_weights", "load_elmo"]

CONFIG = "config.json"
BILM_FILES = ("*options*.json", "*.index", "encoder.pkl")
"""Files of a biLM, which may have a `config.json` as well: ELMoForManyLangs and others have one."""
CACHED_WORDS = 1 << 14
"""Enough for nine of ten tokens of a text, in 40 MB for the published 2x4096_512 biLM."""


class LoadedElmo(NamedTuple):
    """
    A biLM that is ready to run, and the scalar mixes that were trained with it.

    # Parameters

    encoder : `BilmEncoder`
        The encoder that runs the biLM.
    scalar_mixes : `List[ScalarMix]`
        The mixes of a trained model, none for a biLM of its own.
    weight_file : `Optional[Path]`, optional (default = `None`)
        The file from which the weights of a biLM of its own were read.
    owner : `Optional[Module]`, optional (default = `None`)
        The module of a trained model that the biLM is a part of.
    """

    encoder: BilmEncoder
    scalar_mixes: List[ScalarMix]
    weight_file: Optional[Path] = None
    owner: Optional[Module] = None


def load_elmo(
    model: Union[str, "os.PathLike[str]"],
    weight_file: Union[str, "os.PathLike[str]", None] = None,
    precision: Optional[str] = None,
    initial_state: Union[str, InitialState] = "warm",
    warm_up: Optional[Sequence[str]] = None,
    module: Optional[str] = None,
) -> LoadedElmo:
    """
    Loads a biLM.

    # Parameters

    model : `Union[str, PathLike]`
        Path or URL of a folder, zip or tar with the files of a biLM, or of its options file if
        there is a `weight_file`; a name such as `published:original` or `pretrained:small`; or path
        or URL of the archive or the serialization directory of a trained model.
    weight_file : `Union[str, PathLike]`, optional (default = `None`)
        Path or URL of the weights, if they are somewhere else.
    precision : `str`, optional (default = `None`)
        Precision of the matrices: `"float32"`, `"bfloat16"` or `"int8"`. `None` is that of the
        trained model, and `"float32"` for a biLM of its own.
    initial_state : `Union[str, InitialState]`, optional (default = `"warm"`)
        The state that sentences start from, or its name: `"warm"`, `"zero"` or `"carry"`. If the
        trained model has `warm` too, its converged state is kept, unless there is a `warm_up`.
    warm_up : `Sequence[str]`, optional (default = `None`)
        Warm-up text for `"warm"`: sentences whose tokens are separated by spaces. `None` is the
        plugin's own text in English.
    module : `str`, optional (default = `None`)
        Name of the biLM's module in the trained model. Required if the model has several biLMs.

    # Returns

    `LoadedElmo`

    # Raises

    `ConfigurationError`
        When a file is missing, damaged or does not fit, when the trained model has no biLM of that
        name, or when a value is not as described.
    """
    state = _initial_state(initial_state, warm_up)
    if weight_file is None and _is_trained_model(model):
        trained = load_trained_model(model)
        return _from_trained(trained, module, precision, state, keeps_warm=warm_up is None)
    if module is not None:
        raise ConfigurationError(
            f"Got the module '{module}', but '{model}' is no trained model. Leave it out."
        )
    if weight_file is None:
        files = find_options_file(model, "model"), find_weight_file(model, "model")
    else:
        files = find_options_file(model), find_weight_file(weight_file)
    bilm = ElmoBilm.from_files(*files, precision or "float32")
    return LoadedElmo(_encoder(bilm, state), [], files[1])


def digest_of_weights(encoder: ElmoEncoder, mix: Optional[ScalarMix]) -> str:
    """
    Returns a digest that differs between models that give different vectors.

    It leaves out the initial state, the last digits of which may depend on the machine.

    # Parameters

    encoder : `ElmoEncoder`
        The encoder.
    mix : `Optional[ScalarMix]`
        The mix of its layers.

    # Returns

    `str`
    """
    facts: Any = type(encoder).__name__
    if isinstance(encoder, BilmEncoder):
        options = encoder.bilm.options
        # The dictionary says which vectors a text has.
        dictionary = () if options.dictionary is None else (options.dictionary,)
        facts = (options, encoder.bilm.precision, *dictionary)
    tensors = {
        name: tensor
        for name, tensor in _named_tensors(encoder)
        if not name.startswith("initial_state.")
    }
    if mix is not None:
        tensors.update(mix.state_dict(prefix="scalar_mix."))
    return _digest(facts, tensors)


def digest_of_module(module: Module, *facts: Any) -> str:
    """
    Returns a digest that differs between modules of other weights.

    # Parameters

    module : `Module`
        The module.
    facts : `Any`
        Other things that tell modules apart, with a `repr` each.

    # Returns

    `str`
    """
    return _digest(facts, dict(_named_tensors(module)))


def _named_tensors(module: Module) -> Iterator[Tuple[str, torch.Tensor]]:
    # Not the state dict, which holds reduced matrices in float32.
    yield from module.named_parameters()
    yield from module.named_buffers()


def _digest(facts: Any, tensors: Dict[str, torch.Tensor]) -> str:
    checksums = {
        # A checksum finds other weights as well as a digest of 93 million numbers, in less time.
        name: (tensor.dtype, tuple(tensor.shape), crc32(_bytes(tensor)))
        for name, tensor in tensors.items()
    }
    return blake2b(repr((facts, checksums)).encode(), digest_size=16).hexdigest()


def _bytes(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def _initial_state(
    initial_state: Union[str, InitialState], warm_up: Optional[Sequence[str]]
) -> InitialState:
    if warm_up is not None and initial_state != "warm":
        raise ConfigurationError(
            f"Got a warm-up text, but the initial state is {initial_state!r}. Only 'warm' reads "
            "one."
        )
    if isinstance(initial_state, InitialState):
        return initial_state
    if warm_up is not None:
        return WarmState(list(warm_up))
    return InitialState.from_params(Params({"type": initial_state}))


def _is_trained_model(model: Union[str, "os.PathLike[str]"]) -> bool:
    try:
        path = Path(cached_path(model))
    except (OSError, ValueError):
        # A name such as "pretrained:small", or no such file: finding the options file will tell.
        return False
    if path.is_dir():
        return _are_of_trained_model(os.listdir(path))
    if not path.is_file() or not is_archive(path):
        return False
    if cache_folder(path, "").is_dir():
        # A biLM was extracted before. Listing a compressed tar takes as long as extracting it.
        return False
    with archive_members(path) as members:
        return _are_of_trained_model(str(member.name) for member in members)


def _are_of_trained_model(names: Iterable[str]) -> bool:
    at_the_top = [name for name in names if PurePath(name).name == name]
    is_bilm = any(fnmatch.filter(at_the_top, pattern) for pattern in BILM_FILES)
    return CONFIG in at_the_top and not is_bilm


def _from_trained(
    trained: Module,
    module: Optional[str],
    precision: Optional[str],
    state: InitialState,
    keeps_warm: bool,
) -> LoadedElmo:
    name, bilm = find_bilm(trained, module)
    if precision not in (None, bilm.precision):
        bilm.reduce_precision(precision or "float32")
    parent = trained.get_submodule(name.rpartition(".")[0])
    mixes = parent.scalar_mixes if isinstance(parent, Elmo) else []
    encoder = _encoder(bilm, state)
    old = getattr(trained.get_submodule(name), "initial_state", None)
    if keeps_warm and isinstance(old, WarmState) and isinstance(state, WarmState):
        state.load_state_dict(old.state_dict())
    return LoadedElmo(encoder, mixes, owner=parent)


def _encoder(bilm: ElmoBilm, state: InitialState) -> BilmEncoder:
    return BilmEncoder(bilm, state, LruWordCache(CACHED_WORDS))
