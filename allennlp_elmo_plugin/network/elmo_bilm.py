"""
The biLM of ELMo: a bidirectional language model without its softmax.
"""

import inspect
import json
import os
from pathlib import Path
from typing import List, Optional, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.atomic import write_together
from allennlp_elmo_plugin.io.forks import run_forks_on_one_thread
from allennlp_elmo_plugin.kernels import PRECISIONS, can_tile
from allennlp_elmo_plugin.network.bidirectional_lstm import BidirectionalLstm, LstmState
from allennlp_elmo_plugin.network.char_cnn import CharCnn
from allennlp_elmo_plugin.network.kernel_linear import KernelLinear
from allennlp_elmo_plugin.network.options import ElmoOptions
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from allennlp_elmo_plugin.network.time_major import TimeMajorLayout
from allennlp_elmo_plugin.weights import open_weights, write_weights

__all__ = ["ElmoBilm"]


class ElmoBilm(torch.nn.Module):
    """
    The character CNN and the two stacks of LSTMs of a biLM (Peters et al., 2018).

    Callers run `char_cnn` and then `forward`, so a word cache can stand between the two.

    Child processes that are forked after a biLM was made run PyTorch on one thread. A fork does not
    copy PyTorch's other threads, and a child would wait for them forever.

    # Parameters

    options : `ElmoOptions`
        The shape of the biLM. The weights are random until some are loaded.
    """

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        # Making or loading weights is enough to start PyTorch's threads.
        run_forks_on_one_thread()
        self.options = options
        self.precision = "float32"
        # The names of AllenNLP's `_ElmoBiLm`.
        self._token_embedder = CharCnn(options)
        self._elmo_lstm = BidirectionalLstm(options)

    @property
    def char_cnn(self) -> CharCnn:
        """The character CNN."""
        return self._token_embedder

    @property
    def lstm(self) -> BidirectionalLstm:
        """The two stacks of LSTMs."""
        return self._elmo_lstm

    @classmethod
    def from_files(
        cls,
        options_file: Union[str, "os.PathLike[str]"],
        weight_file: Union[str, "os.PathLike[str]"],
        precision: str = "float32",
    ) -> "ElmoBilm":
        """
        Reads a biLM from its two files.

        # Parameters

        options_file : `Union[str, PathLike]`
            Options file: a path, a URL, or a folder or zip that holds it.
        weight_file : `Union[str, PathLike]`
            HDF5 file of the weights: a path, a URL, or a folder or zip that holds it.
        precision : `str`, optional (default = `"float32"`)
            Precision of the matrices; see `reduce_precision`.

        # Raises

        `ConfigurationError`
            When a file is missing, damaged, does not fit the other, or is replaced meanwhile.
        """
        with open_weights(options_file, weight_file) as file:
            # Newer versions of torch need not draw weights that are then overwritten.
            skips_draws = "assign" in inspect.signature(cls.load_state_dict).parameters
            draws_nothing = (
                torch.device("meta") if skips_draws else torch.random.fork_rng(devices=[])
            )
            with draws_nothing:
                bilm = cls(file.options)
                bilm.reduce_precision(precision)
            # One by one, so full-precision weights are freed as soon as they are rounded.
            for weights in file:
                bilm.load_state_dict(
                    weights, strict=False, **({"assign": True} if skips_draws else {})
                )
        return bilm

    def reduce_precision(self, precision: str) -> None:
        """
        Rounds and freezes the matrices of the LSTMs, the highway layers and the projections.

        They are no longer parameters. Activations are rounded before each product with such a
        matrix; sums, cells, clips and everything else stay in float32.

        # Parameters

        precision : `str`
            Precision of the matrices. `"float32"` changes nothing. `"bfloat16"` has 8 significant
            bits. `"int8"` has integers from -127 to 127, with a scale for each row of a matrix and
            for each vector of activations.

        # Raises

        `ConfigurationError`
            When there is no such precision, when it was reduced before, or when a size is not a
            multiple of 16. The biLM is then left as it was.
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
                "already. Load it again with the other precision."
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
        for module in list(self.modules()):
            if isinstance(module, (KernelLinear, ProjectedLstm)):
                module.reduce_precision(precision)

    def to_folder(self, folder: Union[str, "os.PathLike[str]"]) -> None:
        """
        Writes `options.json` and `weights.hdf5` in bilm-tf's layout.

        AllenNLP's built-in ELMo and `from_files` read them.

        # Parameters

        folder : `Union[str, PathLike]`
            Path of the folder, made if it is missing. Files of these two names are replaced, both
            together.

        # Raises

        `OSError`
            When the files cannot be written, for example because the disk is full. The folder is
            then left as it was.
        """
        with write_together(Path(folder), last="options.json") as partial:
            write_weights(partial / "weights.hdf5", self.options, self.state_dict())
            options = json.dumps(self.options.to_dict(), indent=2)
            (partial / "options.json").write_text(options + "\n", encoding="utf-8")

    def zero_state(self, batch_size: int) -> LstmState:
        """Returns a state of zeros for `batch_size` rows, on the biLM's device and in its dtype."""
        return self.lstm.zero_state(batch_size)

    def forward(
        self,
        inputs: torch.Tensor,
        layout: TimeMajorLayout,
        state: LstmState,
        num_layers: Optional[int] = None,
        dropout: float = 0.0,
    ) -> Tuple[List[torch.Tensor], LstmState]:
        """
        Runs both directions over word vectors.

        # Parameters

        inputs : `torch.Tensor`
            Shape (2 directions, tokens, projection_dim), float: for each token in the direction's
            reading order, the vector that `char_cnn` gives for its word. The tokens are
            time-major, sentence boundaries included.
        layout : `TimeMajorLayout`
            The time-major order of the batch.
        state : `LstmState`
            The state that each row starts from, in the order of the batch.
        num_layers : `int`, optional (default = `None`)
            The number of LSTM layers to run, from the first; all of them by default. The others
            keep their state.
        dropout : `float`, optional (default = `0.0`)
            Probability of dropping each element of a layer's input, in [0, 1).

        # Returns

        `Tuple[List[torch.Tensor], LstmState]`
            The output of each layer that was run, in the shape of `inputs`; and the state after
            each row, in the order of the batch.
        """
        outputs, end = self.lstm(inputs, layout, state, num_layers, dropout)
        return outputs, end
