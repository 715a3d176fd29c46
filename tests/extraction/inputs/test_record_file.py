"""A temporary file of sentences."""

import resource
from pathlib import Path
from typing import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs.record import Record
from allennlp_elmo_plugin.extraction.inputs.record_file import RecordFile

TEXTS = st.text(max_size=5)
RECORDS = st.builds(Record, st.lists(TEXTS), TEXTS, st.integers(1), st.none() | TEXTS)


@given(records=st.lists(RECORDS))
def test_sentences_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, records: list
) -> None:
    """All characters and ids do, again and again, and the folder shows no file."""
    folder = tmp_path_factory.mktemp("records")
    file = RecordFile(iter(records), folder)
    assert list(file) == records == list(file)
    assert not list(folder.iterdir())


def test_iterators_take_turns(tmp_path: Path) -> None:
    """Each has a place of its own."""
    records = [Record([str(number) * 3000], "", number) for number in range(9)]
    file = RecordFile(records, tmp_path)
    assert list(zip(file, file)) == list(zip(records, records))


@pytest.mark.parametrize("num_bytes", [100, 100_000])
def test_a_full_disk_is_named(tmp_path: Path, num_bytes: int) -> None:
    """So it is when the last sentences do not fit."""

    def records() -> Iterator[Record]:
        for number in range(num_bytes // 10):
            yield Record(["token"], "text", number)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        with pytest.raises(OSError, match="(?i)too large, so the tokens.*ulimit") as raised:
            RecordFile(records(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.filename == str(tmp_path)
