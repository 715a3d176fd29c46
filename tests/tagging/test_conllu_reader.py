"""The dataset reader for CoNLL-U files."""

from importlib import import_module
from pathlib import Path
from typing import Any, List

import pytest
import torch.distributed
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Token, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.dataset_readers import dataset_reader
from allennlp.data.token_indexers import SingleIdTokenIndexer

from allennlp_elmo_plugin.tagging.conllu_reader import ConlluTaggingReader
from tests.support.paths import DATA


def row(word_id: str, form: str, upos: str = "X", xpos: str = "_", misc: str = "_") -> str:
    """Returns one line of CoNLL-U."""
    return "\t".join([word_id, form, "_", upos, xpos, "_", "_", "_", "_", misc])


SENTENCES = "\n".join(
    [
        "# sent_id = 1",
        "# text = He can't.",
        row("1", "He", "PRON", "PRP"),
        row("2-3", "can't", "_", "_", "SpaceAfter=No"),
        row("2", "ca", "AUX", "MD"),
        row("3", "n't", "PART", "RB"),
        row("3.1", "go", "VERB", "VB"),
        row("4", ".", "PUNCT", "."),
        "",
        "# sent_id = 2",
        row("1", "#", "SYM", "NN"),
        row("2", "10 000", "NUM", "CD"),
        row("3", "_", "SYM", "NFP"),
        "",
    ]
)


def write(folder: Path, text: str) -> str:
    """Writes the text to a file and returns its path."""
    path = folder / "sentences.conllu"
    path.write_bytes(text.encode("utf-8"))
    return str(path)


def read(path: str, **arguments: Any) -> List[Any]:
    """Returns the instances that the reader makes of a file."""
    return list(ConlluTaggingReader(**arguments).read(path))


def words_read(instances: List[Any]) -> List[List[str]]:
    """Returns the words of each instance."""
    return [instance["metadata"]["words"] for instance in instances]


def numbered_sentences(number: int) -> str:
    """Returns sentences of one word each, which is the sentence's number."""
    return "\n".join(row("1", str(index), "NUM") + "\n" for index in range(number))


def test_it_is_registered_under_its_name() -> None:
    """A config finds the reader by the type `conllu_tagging`."""
    reader = DatasetReader.from_params(Params({"type": "conllu_tagging", "tag_column": "xpos"}))
    assert isinstance(reader, ConlluTaggingReader)


def test_words_are_read_without_ranges_and_empty_nodes(tmp_path: Path) -> None:
    """Multiword ranges, empty nodes and comments are skipped; unusual words are read."""
    instances = read(write(tmp_path, SENTENCES))
    assert words_read(instances) == [["He", "ca", "n't", "."], ["#", "10 000", "_"]]
    assert [token.text for token in instances[1]["tokens"]] == ["#", "10 000", "_"]


@pytest.mark.parametrize(
    "column, expected",
    [
        ("upos", ["PRON", "AUX", "PART", "PUNCT"]),
        ("xpos", ["PRP", "MD", "RB", "."]),
    ],
)
def test_tags_come_from_the_column(tmp_path: Path, column: str, expected: List[str]) -> None:
    """`tag_column` names the column of the tags."""
    instances = read(write(tmp_path, SENTENCES), tag_column=column)
    assert instances[0]["tags"].labels == expected


@pytest.mark.parametrize("change", ["windows", "byte order mark", "no last line end", "spaces"])
def test_files_of_other_editors_read_the_same(tmp_path: Path, change: str) -> None:
    """Line ends of Windows, a byte order mark and blank lines with spaces change nothing."""
    changed = {
        "windows": SENTENCES.replace("\n", "\r\n"),
        "byte order mark": "\ufeff" + SENTENCES,
        "no last line end": SENTENCES.rstrip("\n"),
        "spaces": SENTENCES.replace("\n\n", "\n \n\n\n"),
    }[change]
    expected = words_read(read(write(tmp_path, SENTENCES)))
    assert words_read(read(write(tmp_path, changed))) == expected


def test_a_word_may_contain_line_ends_of_unicode(tmp_path: Path) -> None:
    """A line ends with a line feed alone."""
    words = [f"a{character}b" for character in "\x0b\x0c\x1c\x85\u2028\u2029"]
    rows = [row(str(number), word) for number, word in enumerate(words, start=1)]
    assert words_read(read(write(tmp_path, "\n".join([*rows, "", row("1", "c")])))) == [
        words,
        ["c"],
    ]


def test_columns_may_be_declared(tmp_path: Path) -> None:
    """A file of CoNLL-U Plus names its columns in the first line."""
    text = "# global.columns = ID FORM UPOS\n1\tHe\tPRON\n2\tsat\tVERB\n\n1\tNo\tINTJ\n"
    instances = read(write(tmp_path, text))
    assert words_read(instances) == [["He", "sat"], ["No"]]
    assert [instance["tags"].labels for instance in instances] == [["PRON", "VERB"], ["INTJ"]]


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n\n", row("1-2", "can't") + "\n"])
def test_a_file_without_words_has_no_instances(tmp_path: Path, text: str) -> None:
    """A file without sentences is valid and has no instances."""
    assert read(write(tmp_path, text)) == []


@pytest.mark.parametrize(
    "text, sentence, problem",
    [
        (row("1", "a") + "\n\n2 b X\n", 2, "expected CoNLL-U"),
        (row("one", "a"), 1, "'one' is not a valid ID"),
        (row("1", "a") + "\n" + row("1", "b"), 1, "numbered from 1 up, got [1, 1]"),
        (row("1", "a", "_"), 1, "expected a tag in the column 'upos', but the word 'a' has none"),
        ("1\ta\n", 1, "expected a tag in the column 'upos', but the word 'a' has none"),
    ],
)
def test_a_malformed_sentence_is_named(
    tmp_path: Path, text: str, sentence: int, problem: str
) -> None:
    """The error names the file and the sentence, what was expected and what was found."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as error:
        read(path)
    assert f"'{path}', sentence {sentence}: " in str(error.value)
    assert problem in str(error.value)


def test_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    """The error for a file that is not UTF-8 names the file."""
    path = tmp_path / "latin.conllu"
    path.write_bytes((row("1", "a") + "\n" + row("2", "caf\u00e9")).encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"latin\.conllu'.*in UTF-8, but line 2 is"):
        read(str(path))


def test_a_column_that_does_not_exist_is_named() -> None:
    """An unknown `tag_column` is an error that lists the valid ones."""
    with pytest.raises(ConfigurationError, match="one of upos.* got 'pos'"):
        ConlluTaggingReader(tag_column="pos")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error for a missing file names its path."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.conllu"):
        read(str(tmp_path / "nowhere.conllu"))


def test_text_to_instance_works_without_tags() -> None:
    """Without tags, as from a predictor, the instance has no field `tags`."""
    instance: Any = ConlluTaggingReader().text_to_instance([Token("Hello"), Token("!")])
    assert sorted(instance.fields) == ["metadata", "tokens"]
    assert instance["metadata"]["words"] == ["Hello", "!"]


def test_reading_applies_the_token_indexers(tmp_path: Path) -> None:
    """The instances that `read` yields are ready to be indexed."""
    indexers = {"lower": SingleIdTokenIndexer("lower", True)}
    instance = read(write(tmp_path, SENTENCES), token_indexers=indexers)[0]
    instance.index_fields(Vocabulary.from_instances([instance]))
    assert instance["tokens"].as_tensor({"lower___tokens": 4})["lower"]["tokens"].shape == (4,)


@pytest.mark.parametrize("max_instances, expected", [(None, 7), (5, 5), (1, 1)])
def test_worker_processes_share_the_sentences(tmp_path: Path, max_instances, expected) -> None:
    """Two workers together read every sentence once, and at most `max_instances`."""
    path = write(tmp_path, numbered_sentences(7))
    loader = MultiProcessDataLoader(
        ConlluTaggingReader(max_instances=max_instances), path, batch_size=2, num_workers=2
    )
    words = sorted(word for words in words_read(list(loader.iter_instances())) for word in words)
    assert words == [str(index) for index in range(expected)]


def test_distributed_processes_share_the_sentences(tmp_path: Path, monkeypatch) -> None:
    """The processes of a distributed run together read every sentence once."""
    path = write(tmp_path, numbered_sentences(7))
    monkeypatch.setattr(dataset_reader.util, "is_distributed", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    words: List[str] = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        for sentence in words_read(read(path)):
            words.extend(sentence)
    assert sorted(words) == [str(index) for index in range(7)]


@pytest.mark.parametrize("tagger", ["simple_tagger", "crf_tagger"])
def test_the_taggers_of_allennlp_take_its_instances(tagger: str) -> None:
    """AllenNLP's taggers compute a loss for a batch of the demo's sentences."""
    if tagger == "crf_tagger":
        import_module("allennlp_models.tagging")
    from allennlp.data import Batch
    from allennlp.models import Model

    instances = read(str(DATA / "pos_dev.conllu"), max_instances=3)
    vocabulary = Vocabulary.from_instances(instances)
    model = Model.from_params(
        Params(
            {
                "type": tagger,
                "text_field_embedder": {
                    "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 4}}
                },
                "encoder": {"type": "pass_through", "input_dim": 4},
            }
        ),
        vocab=vocabulary,
    )
    batch = Batch(instances)
    batch.index_instances(vocabulary)
    output = model(**batch.as_tensor_dict())
    assert output["loss"].item() > 0
    assert output["words"] == words_read(instances)
