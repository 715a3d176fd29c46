"""
The shape of the vectors of a corpus, known before the first of them is computed.
"""

from typing import NamedTuple, Optional, Tuple

__all__ = ["ResultShape"]


class ResultShape(NamedTuple):
    """
    The number and the shape of all results of an extraction.

    # Parameters

    num_sentences : `int`
        The number of sentences.
    num_tokens : `int`
        The number of tokens of all sentences, with their boundaries if these are kept.
    num_layers : `Optional[int]`
        The number of layers of a result. `None` if a result is a single layer or a mix of layers.
    is_pooled : `bool`
        If `True`, a sentence has one vector in place of one for each token.
    dim : `int`
        Size of a vector.
    dtype : `str`
        `"float32"` or `"float16"`.
    """

    num_sentences: int
    num_tokens: int
    num_layers: Optional[int]
    is_pooled: bool
    dim: int
    dtype: str

    @property
    def num_rows(self) -> int:
        """The number of tokens, or of sentences if results are pooled."""
        return self.num_sentences if self.is_pooled else self.num_tokens

    @property
    def of_row(self) -> Tuple[int, ...]:
        """Shape of all vectors of a token: (layers, dim), or (dim,) without layers."""
        return (self.dim,) if self.num_layers is None else (self.num_layers, self.dim)

    def of_sentence(self, num_tokens: int) -> Tuple[int, ...]:
        """
        Returns the shape of the result of a sentence.

        # Parameters

        num_tokens : `int`
            The number of its tokens, with its boundaries if these are kept.

        # Returns

        `Tuple[int, ...]`
            (layers, tokens, dim) without the layers or the tokens, if there are none.
        """
        layers = () if self.num_layers is None else (self.num_layers,)
        tokens = () if self.is_pooled else (num_tokens,)
        return (*layers, *tokens, self.dim)
