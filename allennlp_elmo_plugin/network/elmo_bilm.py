"""
A bidirectional language model without its softmax: what ELMo is made of.
"""

import inspect
import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.kernels import PRECISIONS, can_tile
from allennlp_elmo_plugin.network.bidirectional_lstm import BidirectionalLstm, LstmState
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.packable import Packable
from allennlp_elmo_plugin.weights import (
    WeightFile,
    find_options_file,
    find_weight_file,
    write_weights,
)

__all__ = ["ElmoBilm"]


class ElmoBilm(torch.nn.Module):
    """
    The character CNN and the two stacks of LSTMs of a biLM (Peters et al., 2018). The two are
    called apart, since what lies between them (a word cache) is not the network's business.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM. The weights are random until some are loaded.
    """

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self.options = options
        self.precision = "float32"
        self.char_cnn = CharCnn(options)
        self.lstm = BidirectionalLstm(options)

    @classmethod
    def from_files(
        cls,
        options_file: Union[str, "os.PathLike[str]"],
        weight_file: Union[str, "os.PathLike[str]"],
        precision: str = "float32",
    ) -> "ElmoBilm":
        """
        Reads a biLM.

        # Parameters

        options_file : `Union[str, PathLike]`
            A path, a URL, or a folder or zip that holds the options file.
        weight_file : `Union[str, PathLike]`
            A path, a URL, or a folder or zip that holds the HDF5 file.
        precision : `str`, optional (default = `"float32"`)
            See `reduce_precision`.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged, or does not fit the other.
        """
        options = ElmoOptions.from_file(find_options_file(options_file))
        with WeightFile(find_weight_file(weight_file), options) as file:
            # Newer versions of torch need not draw weights first, only to throw them away.
            skips_draws = "assign" in inspect.signature(cls.load_state_dict).parameters
            with torch.device("meta") if skips_draws else nullcontext():
                bilm = cls(file.options)
                bilm.reduce_precision(precision)
            # One by one, so that what a reduced precision rounds is soon forgotten.
            for weights in file:
                bilm.load_state_dict(
                    weights, strict=False, **({"assign": True} if skips_draws else {})
                )
        return bilm

    def reduce_precision(self, precision: str) -> None:
        """
        Rounds the matrices of the LSTMs, the highway layers and the projections, which from then
        on are frozen: they are no parameters any more. Activations are rounded before they meet
        such a matrix; sums, cells, clips and all else stay in float32.

        # Parameters

        precision : `str`
            `"float32"`, which changes nothing; `"bfloat16"`, which keeps 8 bits of each number's
            fraction; or `"int8"`, which keeps numbers from -127 to 127, with a scale for each
            row of a matrix and for each vector of activations.

        # Raises

        `ConfigurationError`
            When there is no such precision, when it was reduced before, or when a size is no
            multiple of 16. The biLM is then what it was.
        """
        if precision not in PRECISIONS:
            raise ConfigurationError(
                f"Expected a precision from {list(PRECISIONS)}, got '{precision}'."
            )
        if precision == "float32":
            return
        if self.precision != "float32":
            raise ConfigurationError(
                f"Expected a biLM of precision 'float32', got one that is '{self.precision}' "
                "already. Load it anew with the other precision."
            )
        options = self.options
        sizes = (options.projection_dim, options.cell_size, options.num_filters)
        if not can_tile(*sizes):
            raise ConfigurationError(
                f"Expected sizes in multiples of 16 for the precision '{precision}', got "
                f"projection_dim {sizes[0]}, cell_size {sizes[1]} and {sizes[2]} filters. Use the "
                "precision 'float32'."
            )
        self.precision = precision
        for module in self.modules():
            if isinstance(module, Packable):
                module.reduce_precision(precision)

    def to_folder(self, folder: Union[str, "os.PathLike[str]"]) -> None:
        """
        Writes `options.json` and `weights.hdf5` in bilm-tf's layout, which AllenNLP's built-in
        ELMo and `from_files` read.

        # Parameters

        folder : `Union[str, PathLike]`
            It is made where it is missing; files of these two names in it are replaced.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / "weights.hdf5", self.options, self.state_dict())
        options = json.dumps(self.options.to_dict(), indent=2)
        (folder / "options.json").write_text(options + "\n", encoding="utf-8")

    def forward(
        self,
        tokens: torch.Tensor,
        lengths: Sequence[int],
        state: LstmState,
        num_layers: Optional[int] = None,
    ) -> Tuple[torch.Tensor, LstmState]:
        """
        Runs both directions over word vectors.

        # Parameters

        tokens : `torch.Tensor`
            Shape (batch, timesteps, projection_dim), float: what `char_cnn` gives for each word,
            sentence boundaries included, and 0 behind a row's length.
        lengths : `Sequence[int]`
            The number of tokens in each row.
        state : `LstmState`
            Where each row starts.
        num_layers : `int`, optional (default = `None`)
            How many LSTM layers to run, from the first; all of them by default. The others keep
            their state.

        # Returns

        `Tuple[torch.Tensor, LstmState]`
            The layers, of shape (num_layers + 1, batch, timesteps, 2 * projection_dim), the token
            layer (twice the word vector) first; and the state after each row.
        """
        return self.lstm(tokens, lengths, state, num_layers)
