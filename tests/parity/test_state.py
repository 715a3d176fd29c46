"""The state that is carried from batch to batch is AllenNLP's."""

import pytest
import torch

from tests.parity.sides import assert_close, both_sides
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.sentences import spell
from tests.support.words import random_batches

SEQUENCES = {
    "growing": [[2], [3, 1], [1, 4, 2]],
    "shrinking and growing again": [[2, 3, 1, 4], [5], [2, 2], [1, 2, 3, 4, 5]],
    "empty rows first, last and in between": [[0, 3], [2, 0, 1], [0, 0, 4, 0], [3, 1, 2, 1]],
    "only empty sentences": [[2, 1], [0, 0, 0], [1, 2, 3]],
    "one long sentence": [[1], [12, 1], [1, 12]],
    "rows of one length": [[3, 3, 3], [2, 2], [4, 4, 4, 4]],
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", list(SEQUENCES))
def test_batches_of_changing_size_agree(tmp_path, name, training):
    """Each row starts from the same state as AllenNLP's, after batches of any size."""
    files = write_elmo_files(tmp_path, elmo_options(cell_clip=0.5, proj_clip=0.4), seed=51)
    ours, theirs = both_sides(files, training, dropout=0.0)
    for batch in random_batches(52, SEQUENCES[name]):
        with torch.no_grad():
            assert_close(ours(spell(*batch)), theirs(spell(*batch)))


def test_many_batches_do_not_drift_apart(tmp_path):
    """Both sides agree after thirty batches as closely as after one."""
    ours, theirs = both_sides(write_elmo_files(tmp_path, seed=53), dropout=0.0)
    lengths = [[(i * 7 + row) % 5 for row in range(1 + i % 4)] for i in range(30)]
    for batch in random_batches(54, lengths):
        with torch.no_grad():
            assert_close(ours(spell(*batch)), theirs(spell(*batch)))


def test_the_state_matters(tmp_path):
    """The same batch has two different outputs, so the tests above do depend on the state."""
    ours, _ = both_sides(write_elmo_files(tmp_path, seed=55), dropout=0.0)
    batch = spell(*random_batches(56, [[3, 2]])[0])
    with torch.no_grad():
        assert (ours(batch) - ours(batch)).abs().max() > 1e-2


def test_training_and_evaluation_share_one_state(tmp_path):
    """Evaluation between two training batches changes the state of the second on both sides."""
    ours, theirs = both_sides(write_elmo_files(tmp_path, seed=57), dropout=0.0)
    batches = random_batches(58, [[3, 2], [1, 4, 2], [2, 2]])
    for training, batch in zip([True, False, True], batches):
        left, right = (side.train(training)(spell(*batch)) for side in (ours, theirs))
        assert_close(left, right)


def test_a_reset_of_some_rows_agrees(tmp_path):
    """AllenNLP's protocol finds the state on both sides, and a mask resets the same rows."""
    files = write_elmo_files(tmp_path, seed=59)
    ours, theirs = both_sides(files, dropout=0.0)
    for batch in random_batches(60, [[3, 2, 1], [1, 4, 2]]):
        with torch.no_grad():
            assert_close(ours(spell(*batch)), theirs(spell(*batch)))
        for side in (ours, theirs):
            stateful = [module for module in side.modules() if getattr(module, "stateful", False)]
            assert len(stateful) == 1
            stateful[0].reset_states(torch.tensor([True, False, True]))
