"""What the benchmarks read and count, and that they run. No time is looked at here."""

import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.data.dataset_readers import SequenceTaggingDatasetReader

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions, NoWordCache
from benchmarks.epochs import measure_epochs, write_tagged
from benchmarks.layers import measure_layers
from benchmarks.limits import Machine, limit_of
from benchmarks.operations import Work, count_work
from benchmarks.pretraining import measure_pretraining
from benchmarks.sentences import document, in_batches, made_up_sentences, read_sentences
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder
from benchmarks.tagging import main as measure_tagging

CONLLU = """# text = Don't stop
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\t_\t_\t0\troot\t_\t_
2\tn't\tnot\tPART\t_\t_\t1\tadvmod\t_\t_
3\tstop\tstop\tVERB\t_\t_\t1\txcomp\t_\t_
3.1\tit\tit\tPRON\t_\t_\t_\t_\t_\t_

1\tNo\tno\tINTJ\t_\t_\t0\troot\t_\t_

"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A run with a tiny biLM and few sentences."""
    options = ElmoOptions(filters=((1, 4),), projection_dim=3, cell_size=5, num_layers=2)
    ElmoBilm(options).to_folder(tmp_path / "tiny")
    return Settings(
        models={"tiny": tmp_path / "tiny"},
        sentences=made_up_sentences(70),
        precisions=("float32",),
        batch_sizes=(2,),
        document_lengths=(5,),
        allennlp_document_lengths=(5,),
        rounds=1,
    )


def test_a_seed_gives_the_same_sentences() -> None:
    """Two runs embed the same text, and another seed gives another."""
    assert made_up_sentences(20, seed=1) == made_up_sentences(20, seed=1)
    assert made_up_sentences(20, seed=1) != made_up_sentences(20, seed=2)


def test_conllu_gives_words(tmp_path: Path) -> None:
    """Of a CoNLL-U file the words are read: neither ranges nor empty nodes."""
    path = tmp_path / "sentences.conllu"
    path.write_text(CONLLU, encoding="utf-8")
    assert read_sentences(path) == [["Do", "n't", "stop"], ["No"]]


def test_text_gives_a_sentence_a_line(tmp_path: Path) -> None:
    """Of any other file each line that is not blank is a sentence."""
    path = tmp_path / "sentences.txt"
    path.write_text("Na\u00efve words .\n\n  No \n", encoding="utf-8")
    assert read_sentences(path) == [["Na\u00efve", "words", "."], ["No"]]


def test_a_file_without_sentences_is_refused(tmp_path: Path) -> None:
    """Batches cannot be drawn from nothing, so the file is named."""
    path = tmp_path / "blank.txt"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"blank\.txt"):
        read_sentences(path)


def test_few_sentences_are_used_again() -> None:
    """Where the sentences do not suffice, they start again."""
    assert in_batches([["a"], ["b", "c"]], 2, 2) == [[["a"], ["b", "c"]]] * 2
    assert document([["a"], ["b", "c"]], 5) == ["a", "b", "c", "a", "b"]


def test_work_matches_a_count_by_hand() -> None:
    """Two sentences of 3 and 1 words, 2 of them distinct, in a biLM of sizes that tell apart."""
    options = ElmoOptions(
        filters=((1, 3), (2, 4)),
        projection_dim=5,
        cell_size=11,
        num_layers=2,
        char_embedding_dim=2,
        num_highways=1,
    )
    work = count_work(options, [["ab", "a", "ab"], ["a"]])
    # Tokens with boundaries: 5 + 3, in 2 layers of 2 directions, of 4 gates.
    inputs = 8 * 4 * (2 * 4 * 11 * 5)
    # The longest word has 4 symbols with its edges, and so 5 positions for either filter; with
    # the boundaries there are 4 words.
    convolutions = 5 * (2 * 2 * 1 * 3) + 5 * (2 * 2 * 2 * 4)
    words = 4 * (convolutions + 2 * 2 * 7 * 7 + 2 * 7 * 5)
    assert work == Work(
        operations_at_once=inputs + words,
        operations_per_row=2 * (4 * 11 * 5 + 5 * 11),
        weights_per_step=4 * 11 * 5 + 5 * 11,
        rows=[2, 2, 2, 1, 1],
        layers=4,
    )


def test_positions_end_where_a_word_must() -> None:
    """A word longer than the biLM reads asks for no more positions than a filter has."""
    options = ElmoOptions(filters=((7, 1),), projection_dim=1, cell_size=1, num_layers=1)
    longer, longest = (
        count_work(options, [["a" * length]]).operations_at_once for length in (48, 100)
    )
    assert longer == longest


def test_a_step_takes_the_longer_of_two_times() -> None:
    """Reading bounds the steps of few rows, the products those of many."""
    work = Work(
        operations_at_once=30, operations_per_row=10, weights_per_step=5, rows=[4, 1], layers=2
    )
    machine = Machine(product_rate=10.0, product_by="", read_bandwidth=10.0, read_by="")
    limit = limit_of([work], "float32", machine)
    # A step takes 1 s for each row, or 5 weights * 4 bytes / 10 = 2 s.
    assert limit.seconds == 3 + 2 * (4 + 2)
    assert limit.products == 3 + 2 * (4 + 1)
    assert limit.reading == 2 * (2 + 2)


def test_no_side_keeps_words(settings: Settings) -> None:
    """The plugin's default would spare it words that AllenNLP's class computes each time."""
    embedder: Any = build_embedder("float32", settings.models["tiny"])
    assert isinstance(embedder._encoder.word_cache, NoWordCache)


def test_layer_1_is_the_same_on_both_sides(settings: Settings) -> None:
    """What is timed gives the same vectors."""
    ((row,),) = measure_layers(settings).results.values()
    assert 0 <= row["largest_difference"] < 1e-5


def test_the_same_language_model_is_trained_on_both_sides(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same weights, the same text is as likely to either, window after window."""
    options = ElmoOptions.from_file(settings.models["tiny"] / "options.json")
    monkeypatch.setattr("benchmarks.pretraining.OPTIONS", options)
    monkeypatch.setattr("benchmarks.pretraining.ROWS", 2)
    ((row,),) = measure_pretraining(settings).results.values()
    assert 0 <= row["loss_difference"] < 1e-5
    assert 0 < row["samples"] < row["words"]
    assert row["tokens"] == 2 * 20 * 4


def test_tagged_words_are_read_as_they_are(tmp_path: Path) -> None:
    """Neither a delimiter of the format nor a space within a word breaks it."""
    sentences = [["a", "b###c", "###"], ["1 000", "Na\u00efve\u00a0word"]]
    write_tagged(sentences, tmp_path / "tagged.txt")
    reader = SequenceTaggingDatasetReader(token_delimiter="\t")
    instances: Any = list(reader.read(str(tmp_path / "tagged.txt")))
    assert [[token.text for token in instance["tokens"]] for instance in instances] == sentences
    assert [instance["tags"].labels for instance in instances] == [["1", "5", "3"], ["5", "9"]]


def test_epochs_measure_the_same_with_the_cache(
    settings: Settings, capsys: pytest.CaptureFixture
) -> None:
    """Each side trains without a word, and the cache changes no metric."""
    section = measure_epochs(settings)
    assert [row["side"] for row in section.results["epochs"]] == [
        ALLENNLP,
        "plugin",
        "plugin, cache 'hdf5'",
        "frozen 'embedding'",
    ]
    assert all(row["seconds"] > 0 for row in section.results["epochs"])
    assert all(row["largest_difference"] < 1e-5 for row in section.results["epoch_metrics"])
    assert capsys.readouterr() == ("", "")


def test_taggers_are_measured_on_the_test_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Each embedder is trained with each seed; what tells words apart gets them right."""
    monkeypatch.setattr("benchmarks.tagging.HELD_OUT", 2)
    for name in ("train", "test"):
        (tmp_path / f"{name}.conllu").write_text(CONLLU * 2, encoding="utf-8")
    measure_tagging(
        [
            *("--train", str(tmp_path / "train.conllu"), "--test", str(tmp_path / "test.conllu")),
            *("--bilm", str(settings.models["tiny"]), "--sentences", "2", "--seeds", "1"),
            *("--output", str(tmp_path / "output")),
        ]
    )
    rows = json.loads((tmp_path / "output" / "tagging.json").read_text())
    assert [len(row["accuracies"]) for row in rows] == [1, 1, 1]
    assert rows[-1]["mean"] == 1.0
    assert "100.00%" in capsys.readouterr().out
