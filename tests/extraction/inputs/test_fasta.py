"""The format `fasta`."""

from typing import List, Tuple

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs.fasta import parse_fasta


def test_a_residue_is_a_token() -> None:
    """Lines are joined without white space, in capitals; other characters stay."""
    lines = ["", ">sp|P1|NAME_X A protein", "MKv L", "", "  q-X*", ">  second", ">third", "A"]
    assert [tuple(record) for record in parse_fasta(lines, "a.fasta")] == [
        (list("MKVLQ-X*"), "MKVLQ-X*", 2, "sp|P1|NAME_X"),
        ([], "", 6, "second"),
        (["A"], "A", 7, "third"),
    ]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
            st.text("ACDEFGHIKLMNPQRSTVWYX*"),
        )
    ),
    st.integers(1, 7),
    st.sampled_from(["\n", "\r"]),
)
def test_what_is_written_is_read(
    proteins: List[Tuple[str, str]], width: int, line_end: str
) -> None:
    """Whatever the width of the lines is, also with the line ends of old computers."""
    text = ""
    for name, sequence in proteins:
        text += f">{name} description{line_end}"
        text += "".join(
            sequence[start : start + width] + line_end for start in range(0, len(sequence), width)
        )
    records = parse_fasta(text.split("\n"), "a.fasta")
    assert [(record.id, record.text) for record in records] == proteins


@pytest.mark.parametrize(
    "lines, problem",
    [
        (["MKVL", ">a"], "line 1: expected a header .* got 'MKVL'"),
        ([">a", "MKVL", ">"], "line 3: expected an id in the header"),
        ([">a", "MKVL", "> \t"], "line 3: expected an id in the header"),
    ],
)
def test_a_sequence_without_id_is_named(lines: List[str], problem: str) -> None:
    """The error names the file and the line."""
    with pytest.raises(ConfigurationError, match=f"'a.fasta', {problem}"):
        list(parse_fasta(lines, "a.fasta"))
