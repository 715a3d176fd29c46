"""
HDF5: a dataset of both directions' scores for each sentence.
"""

import numpy
from h5py import h5a, h5s, h5t
from overrides import overrides

from allennlp_elmo_plugin.extraction.outputs.hdf5 import Hdf5Output
from allennlp_elmo_plugin.extraction.result_shape import ResultShape
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.scoring.outputs.base import ScoreOutput
from allennlp_elmo_plugin.scoring.scored_sentence import ScoredSentence

__all__ = ["Hdf5Scores"]

BOUNDARIES = b"boundaries"
NUM_ATTRIBUTE_BYTES = 120


class Hdf5Scores(ScoreOutput, Hdf5Output):
    """
    An HDF5 file with a dataset for each sentence, under its key.

    Its shape is (2, tokens), float32: the scores of the forward and of the backward direction. NaN
    is left out. Its attribute `boundaries` of shape (2,) has the scores of `</S>`, forward, and of
    `<S>`, backward. There are no ranks.
    """

    endings = (".hdf5", ".h5")
    takes_sentence_index = False

    @classmethod
    @overrides
    def num_working_bytes(cls, shape: ResultShape, num_key_bytes: int, num_text_bytes: int) -> int:
        num_other_bytes = super().num_working_bytes(shape, num_key_bytes, num_text_bytes)
        return num_other_bytes + NUM_ATTRIBUTE_BYTES * shape.num_sentences

    @overrides
    def _write_scores(self, sentence: Sentence, scored: ScoredSentence) -> None:
        scores = numpy.ascontiguousarray(scored.scores[:, :-1])
        dataset = self._write_dataset(sentence.key, scores)
        boundaries = numpy.ascontiguousarray(scored.scores[:, -1])
        attribute = h5a.create(
            dataset, BOUNDARIES, h5t.IEEE_F32LE, h5s.create_simple(boundaries.shape)
        )
        attribute.write(boundaries)
