"""Numbers of things in messages."""

import pytest

from allennlp_elmo_plugin.io.counted import counted


@pytest.mark.parametrize(
    "number, expected", [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1001, "1,001 files")]
)
def test_one_thing_is_no_plural(number: int, expected: str) -> None:
    """Large numbers have commas."""
    assert counted(number, "file") == expected
