"""Reading the sentences of an input file, again and again."""

import gzip
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any, Callable, List, Optional
from unittest.mock import patch

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.inputs import json_lines, sentence_file
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.sentence import Sentence
from allennlp_elmo_plugin.io import text_lines

LINES = " It  rains .\nNo\n"
SENTENCES = [
    Sentence(["It", "rains", "."], "0", "It  rains ."),
    Sentence(["No"], "1", "No"),
]


def write(folder: Path, text: str, name: str = "a.txt") -> Path:
    """Writes a text file and returns its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def peak_of(work: Callable[[], Any]) -> int:
    """Returns the most bytes that Python held while it worked."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def objects(**columns: List[Any]) -> str:
    """Returns an object in JSON for each row of some columns."""
    rows = zip(*columns.values())
    return "".join(json.dumps(dict(zip(columns, row))) + "\n" for row in rows)


def test_sentences_are_read_again_and_again(tmp_path: Path) -> None:
    """Each iteration starts at the beginning, also beside another one."""
    file = SentenceFile(write(tmp_path, LINES))
    first = iter(file)
    assert next(first) == SENTENCES[0]
    assert list(file) == SENTENCES
    assert list(first) == SENTENCES[1:]
    assert list(file) == SENTENCES


def test_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    """The file may be missing until the first sentence is read, and the error names it."""
    sentences = iter(SentenceFile(tmp_path / "a.txt"))
    with pytest.raises(ConfigurationError, match=r"a file of sentences at '.*a\.txt', but there"):
        next(sentences)


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.txt", "It rains\n"),
        ("a.jsonl", '{"tokens": ["It", "rains"]}\n'),
        ("a.conllu", "1\tIt\n2\trains\n"),
    ],
)
def test_formats_give_the_same_sentences(tmp_path: Path, name: str, text: str) -> None:
    """The format follows the ending, or is given; a file may be compressed."""
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(text.encode()))
    by_ending = SentenceFile(path)
    named = SentenceFile(write(tmp_path, text, "b.text"), input_format=by_ending.input_format)
    for file in (by_ending, named):
        assert list(file) == [Sentence(["It", "rains"], "0", "It rains")]
        assert not file.has_ids
    assert by_ending.survey() == named.survey()


def test_a_language_tokenizes(tmp_path: Path) -> None:
    """Raw text is split into sentences with numbers of their own, and blank lines are none."""
    file = SentenceFile(write(tmp_path, "It rains. No!\n\nYes.\n"), language="en")
    assert [(sentence.key, sentence.text) for sentence in file] == [
        ("0", "It rains."),
        ("1", "No!"),
        ("2", "Yes."),
    ]
    assert (file.language, file.input_format, file.survey().num_tokens) == ("en", "lines", 7)
    path = write(tmp_path, '{"sentence": "It rains. No!"}', "a.jsonl")
    assert [len(sentence.tokens) for sentence in SentenceFile(path, language="en")] == [5]


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_text_is_tokenized_once(tmp_path: Path, is_kept: bool) -> None:
    """The survey keeps the tokens if it is told where. Even so, the file must not change."""
    text = objects(id=["b", "c"], sentence=["It rains.", "caf\u00e9!"])
    path = write(tmp_path, text, "a.jsonl")
    expected = list(SentenceFile(path, language="en"))
    file = SentenceFile(path, language="en", working_folder=tmp_path if is_kept else None)
    assert file.survey() == SentenceFile(path, language="en").survey()
    with patch.object(json_lines, "split_tokens", return_value=["other"]):
        assert (list(file) == list(file) == expected) == is_kept
    assert list(tmp_path.iterdir()) == [path]
    os.utime(path, ns=(0, 0))
    with pytest.raises(ConfigurationError, match="to stay as it was"):
        next(iter(file))


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("a.jsonl", objects(id=["b", 7], tokens=[["x"], ["y"]]), ["b", "7"]),
        ("a.conllu", "# sent_id = b\n1\tx\n\n# sent_id = 7\n1\ty\n", ["b", "7"]),
        ("a.fasta", ">b\nX\n>7 \nY\n", ["b", "7"]),
    ],
)
def test_ids_are_keys(tmp_path: Path, name: str, text: str, expected: List[str]) -> None:
    """Unless numbers or texts are asked for."""
    path = write(tmp_path, text, name)
    keys = {
        kind: [sentence.key for sentence in SentenceFile(path, keys=kind)]
        for kind in ("ids", "numbers", "sentences")
    }
    texts = [sentence.text for sentence in SentenceFile(path)]
    assert keys == {"ids": expected, "numbers": ["0", "1"], "sentences": texts}
    assert [SentenceFile(path, keys=kind).has_ids for kind in keys] == [True, False, False]


@pytest.mark.parametrize("ids, problem", [((1, None), "an id"), ((None, 2), "no id")])
def test_all_sentences_have_ids_or_none(tmp_path: Path, ids: Any, problem: str) -> None:
    """The first sentence decides, the line of the other is named, and numbers need no ids."""
    rows = [{"tokens": ["x"]} if key is None else {"tokens": ["x"], "id": key} for key in ids]
    path = write(tmp_path, "\n".join(map(json.dumps, rows)), "a.jsonl")
    for read in (list, SentenceFile.survey):
        with pytest.raises(ConfigurationError, match=rf"a\.jsonl', line 2: expected {problem}, as"):
            read(SentenceFile(path))
    assert SentenceFile(path, keys="numbers").survey().num_sentences == 2


def test_a_part_of_a_file_has_its_place(tmp_path: Path) -> None:
    """Numbers count from that of the first sentence, also in errors, and have a prefix as keys."""
    file = SentenceFile(write(tmp_path, LINES), first_number=7, key_prefix="b.txt:")
    assert [sentence.key for sentence in file] == ["b.txt:7", "b.txt:8"]
    assert not file.has_ids and file.survey().num_sentences == 2
    with pytest.raises(ConfigurationError, match=r"\(counted from 0\): 8\."):
        SentenceFile(write(tmp_path, "x\n\n"), first_number=7).survey()


def test_ids_and_texts_of_a_part_are_its_keys(tmp_path: Path) -> None:
    """They have neither a number nor a prefix."""
    path = write(tmp_path, objects(id=["b", "c"], sentence=["x", "y"]), "a.jsonl")
    keys = {
        kind: [each.key for each in SentenceFile(path, keys=kind, first_number=3, key_prefix="p:")]
        for kind in ("ids", "sentences", "numbers")
    }
    assert keys == {"ids": ["b", "c"], "sentences": ["x", "y"], "numbers": ["p:3", "p:4"]}


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.conllu", "a.fasta"])
@pytest.mark.parametrize("language", [None, "en"])
def test_a_file_may_be_empty(tmp_path: Path, name: str, language: Optional[str]) -> None:
    """Its survey has no sentence."""
    if language is not None and name.endswith(("conllu", "fasta")):
        pytest.skip("these have tokens of their own")
    file = SentenceFile(write(tmp_path, "", name), language=language, working_folder=tmp_path)
    survey = file.survey()
    assert (survey.num_sentences, survey.num_tokens, survey.longest) == (0, 0, 0)
    assert list(file) == [] and not file.has_ids


def test_blank_lines_are_listed(tmp_path: Path) -> None:
    """The survey counts lines from 0, as AllenNLP 0.9, and a mere reader stops at the first."""
    file = SentenceFile(write(tmp_path, "\nIt rains\n \t\n\n"))
    with pytest.raises(
        ConfigurationError, match=r"'.*a\.txt', but .* \(counted from 0\): 0, 2, 3\."
    ):
        file.survey()
    with pytest.raises(ConfigurationError, match=r"\(counted from 0\): 0\."):
        next(iter(file))


def test_many_blank_lines_are_counted(tmp_path: Path) -> None:
    """The error lists some of them."""
    file = SentenceFile(write(tmp_path, "\n" * 30))
    with pytest.raises(ConfigurationError, match="0, 1, 2, .*, 19 and 10 more"):
        file.survey()


def test_blank_lines_may_be_empty_sentences(tmp_path: Path) -> None:
    """They have numbers like other sentences."""
    file = SentenceFile(write(tmp_path, "\nIt rains\n\n"), blank_lines="empty")
    assert [(sentence.key, len(sentence.tokens)) for sentence in file] == [
        ("0", 0),
        ("1", 2),
        ("2", 0),
    ]
    assert file.survey()[:3] == (3, 2, 2)


@pytest.mark.parametrize(
    "name, text", [("a.jsonl", '{"tokens": ["x"]}\n\n{"tokens": []}'), ("a.fasta", ">a\nX\n\n>b\n")]
)
def test_empty_sentences_of_other_formats_are_blank_lines(
    tmp_path: Path, name: str, text: str
) -> None:
    """They are named by the number of the sentence, and blank lines between them are skipped."""
    path = write(tmp_path, text, name)
    with pytest.raises(ConfigurationError, match=r"\(counted from 0\): 1\."):
        SentenceFile(path).survey()
    assert SentenceFile(path, blank_lines="empty").survey().num_sentences == 2


def test_a_survey_shows_each_sentence(tmp_path: Path) -> None:
    """One pass counts whatever the caller wants to know."""
    seen: List[Sentence] = []
    survey = SentenceFile(write(tmp_path, LINES)).survey(seen.append)
    assert seen == SENTENCES
    assert survey[:3] == (2, 4, 3)


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    """Line ends and spaces between sentences do not matter; tokens and keys do."""
    digests = [
        SentenceFile(write(tmp_path, text), keys=keys).survey().digest
        for text, keys in [
            ("a b\nc\n", "ids"),
            (" a b \r\nc", "ids"),
            ("a b\nd\n", "ids"),
            ("a b c\n", "ids"),
            ("a b\nc\n", "sentences"),
        ]
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_equal_keys_are_named_with_both_lines(tmp_path: Path) -> None:
    """An integer and a string may be the same key."""
    path = write(tmp_path, objects(id=["x", 7, "7"], tokens=[["a"]] * 3), "a.jsonl")
    with pytest.raises(ConfigurationError, match=r"'.*a\.jsonl' .*'7' in line 2 and '7' in line 3"):
        SentenceFile(path).survey()
    path = write(tmp_path, "It rains\nNo\nIt rains\n")
    assert SentenceFile(path).survey().num_sentences == 3
    with pytest.raises(ConfigurationError, match="'It rains' in line 1 and 'It rains' in line 3"):
        SentenceFile(path, keys="sentences").survey()


def test_many_equal_keys_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the first, whatever part of the suspects is looked at first."""
    monkeypatch.setattr(sentence_file, "MAX_SUSPECTS", 2)
    lines = [f"{number}" for number in range(50)]
    file = SentenceFile(write(tmp_path, "\n".join(lines + lines)), keys="sentences")
    with pytest.raises(ConfigurationError, match="'0' in line 1 and '0' in line 51; '1' in line 2"):
        file.survey()


@pytest.mark.parametrize("text", ["a/\nb\n", ".\n", "a\0b\n"])
def test_keys_that_hdf5_cannot_hold_are_refused(tmp_path: Path, text: str) -> None:
    """Also without a survey; numbers in their place are fine."""
    path = write(tmp_path, text)
    file = SentenceFile(path, keys="sentences")
    for read in (list, SentenceFile.survey):
        with pytest.raises(ConfigurationError, match=r"a\.txt', line 1: expected a key"):
            read(file)
    assert SentenceFile(path).survey().num_sentences == text.count("\n")


def test_an_empty_sentence_has_no_text_for_a_key(tmp_path: Path) -> None:
    """HDF5 needs a name of one or more characters."""
    file = SentenceFile(write(tmp_path, "a\n\n"), keys="sentences", blank_lines="empty")
    with pytest.raises(ConfigurationError, match="line 2: expected a key .* '' is empty"):
        file.survey()


def test_a_file_must_not_change_after_its_survey(tmp_path: Path) -> None:
    """Neither before the next reading nor during it; without a survey it may."""
    path = write(tmp_path, "It rains\n" * 10_000)
    file = SentenceFile(path)
    assert len(list(file)) == 10_000
    path.write_text("It rains\n" * 20_000)
    assert file.survey().num_sentences == 20_000
    sentences = iter(file)
    next(sentences)
    os.utime(path, ns=(0, 0))
    with pytest.raises(ConfigurationError, match=r"'.*a\.txt' to stay as it was"):
        list(sentences)
    with pytest.raises(ConfigurationError, match=r"'.*a\.txt' to stay as it was"):
        next(iter(file))


def test_errors_name_the_source(tmp_path: Path) -> None:
    """A copy of the standard input is not what the user knows."""
    path = write(tmp_path, "x")
    file = SentenceFile(path, input_format="jsonl", source_name="standard input")
    with pytest.raises(ConfigurationError, match="'standard input', line 1: expected an object"):
        file.survey()
    path.write_bytes(b"caf\xe9")
    with pytest.raises(ConfigurationError, match="'standard input' to be text in UTF-8"):
        file.survey()


def test_choices_that_do_not_exist_are_listed() -> None:
    """The error names the parameter."""
    with pytest.raises(
        ConfigurationError, match="'keys' to be one of ids, numbers, sentences, got"
    ):
        SentenceFile("a.txt", keys="lines")
    with pytest.raises(
        ConfigurationError, match="'blank_lines' to be one of error, empty, got 'x'"
    ):
        SentenceFile("a.txt", blank_lines="x")


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.fasta", "a.conllu"])
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times as many sentences take no more to read, and a few bytes each to survey."""
    line = {
        "a.txt": "It rains {}\n",
        "a.jsonl": '{{"tokens": ["It", "rains"], "id": {}}}\n',
        "a.fasta": ">{}\nMKVL\n",
        "a.conllu": "# sent_id = {}\n1\tIt\n\n",
    }[name]
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 1 << 10)
    peaks = []
    for number in (500, 5_000):
        file = SentenceFile(write(tmp_path, "".join(map(line.format, range(number))), name))
        peaks.append((peak_of(lambda file=file: sum(1 for _ in file)), peak_of(file.survey)))
    assert peaks[1][0] - peaks[0][0] < 20_000
    # The index of the keys, its sorted copy and their order have a few times 8 bytes for each.
    assert peaks[1][1] - peaks[0][1] < 4_500 * 60
