"""The benchmarks read, count and run as documented. No test looks at a time."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, List

import h5py
import numpy
import pytest
import torch
from allennlp.data.dataset_readers import SequenceTaggingDatasetReader
from allennlp.modules.elmo import _ElmoBiLm

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions, NoWordCache
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.models import load_elmo
from benchmarks import scoring
from benchmarks.epochs import measure_epochs, write_tagged
from benchmarks.extraction import (
    Corpus,
    FileOrderExtractor,
    batches_of_job,
    extract_as_allennlp,
    measure_extraction,
    run_job,
    write_corpus,
)
from benchmarks.language_model import measure_language_model
from benchmarks.layers import measure_layers
from benchmarks.limits import Machine, limit_of
from benchmarks.many_langs import measure_many_langs
from benchmarks.minimal_pairs import MINIMAL_PAIRS
from benchmarks.minimal_pairs import main as measure_minimal_pairs
from benchmarks.operations import Work, count_work
from benchmarks.planted_change import Halves, choose_targets, plant, split_texts
from benchmarks.planted_change import main as measure_planted
from benchmarks.sentences import document, generate_sentences, in_batches, read_sentences
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder
from benchmarks.tagging import main as measure_tagging
from tests.support.scores import write_language_model

NOUNS = ("house", "garden", "river", "table", "window")
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
    """Settings with a tiny biLM and few sentences."""
    options = ElmoOptions(filters=((1, 4),), projection_dim=3, cell_size=5, num_layers=2)
    ElmoBilm(options).to_folder(tmp_path / "tiny")
    return Settings(
        models={"tiny": tmp_path / "tiny"},
        sentences=generate_sentences(70),
        precisions=("float32",),
        batch_sizes=(2,),
        document_lengths=(5,),
        allennlp_document_lengths=(5,),
        rounds=1,
    )


def test_a_seed_gives_the_same_sentences() -> None:
    """Two runs generate the same sentences, and another seed generates others."""
    assert generate_sentences(20, seed=1) == generate_sentences(20, seed=1)
    assert generate_sentences(20, seed=1) != generate_sentences(20, seed=2)


def test_a_conllu_file_gives_its_word_forms(tmp_path: Path) -> None:
    """Ranges and empty nodes of a CoNLL-U file are skipped."""
    path = tmp_path / "sentences.conllu"
    path.write_text(CONLLU, encoding="utf-8")
    assert read_sentences(path) == [["Do", "n't", "stop"], ["No"]]


def test_a_text_file_gives_a_sentence_per_line(tmp_path: Path) -> None:
    """Each line of any other file is a sentence, unless it is blank."""
    path = tmp_path / "sentences.txt"
    path.write_text("Na\u00efve words .\n\n  No \n", encoding="utf-8")
    assert read_sentences(path) == [["Na\u00efve", "words", "."], ["No"]]


def test_a_file_without_sentences_is_refused(tmp_path: Path) -> None:
    """The error names a file that has no sentence."""
    path = tmp_path / "blank.txt"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"blank\.txt"):
        read_sentences(path)


def test_few_sentences_are_used_again() -> None:
    """Batches and documents go on with the first sentence after the last."""
    assert in_batches([["a"], ["b", "c"]], 2, 2) == [[["a"], ["b", "c"]]] * 2
    assert document([["a"], ["b", "c"]], 5) == ["a", "b", "c", "a", "b"]


def test_work_matches_a_count_by_hand() -> None:
    """Two sentences of 3 and 1 words, 2 of them distinct, have the operations of the formulas."""
    options = ElmoOptions(
        filters=((1, 3), (2, 4)),
        projection_dim=5,
        cell_size=11,
        num_layers=2,
        char_embedding_dim=2,
        num_highways=1,
    )
    work = count_work(options, [["ab", "a", "ab"], ["a"]])
    # There are 5 + 3 tokens with boundaries, in 2 layers of 2 directions with 4 gates.
    inputs = 8 * 4 * (2 * 4 * 11 * 5)
    # The longest word has 4 symbols with its edges, so each filter has 5 positions. With the
    # boundaries there are 4 words.
    convolutions = 5 * (2 * 2 * 1 * 3) + 5 * (2 * 2 * 2 * 4)
    words = 4 * (convolutions + 2 * 2 * 7 * 7 + 2 * 7 * 5)
    assert work == Work(
        operations_at_once=inputs + words,
        operations_per_row=2 * (4 * 11 * 5 + 5 * 11),
        weights_per_timestep=4 * 11 * 5 + 5 * 11,
        rows=[2, 2, 2, 1, 1],
        layers=4,
    )


def test_filter_positions_end_at_the_longest_possible_word() -> None:
    """A word that the biLM cuts off needs no more filter positions than there are."""
    options = ElmoOptions(filters=((7, 1),), projection_dim=1, cell_size=1, num_layers=1)
    longer, longest = (
        count_work(options, [["a" * length]]).operations_at_once for length in (48, 100)
    )
    assert longer == longest


def test_a_timestep_takes_the_longer_of_two_times() -> None:
    """Reading limits timesteps of few rows, and products limit those of many."""
    work = Work(
        operations_at_once=30, operations_per_row=10, weights_per_timestep=5, rows=[4, 1], layers=2
    )
    machine = Machine(product_rate=10.0, product_by="", read_bandwidth=10.0, read_by="")
    limit = limit_of([work], "float32", machine)
    # A timestep takes 1 s for each row, or 5 weights * 4 bytes / 10 = 2 s.
    assert limit.seconds == 3 + 2 * (4 + 2)
    assert limit.products == 3 + 2 * (4 + 1)
    assert limit.reading == 2 * (2 + 2)


def test_no_side_caches_words(settings: Settings) -> None:
    """The plugin's embedder has no word cache, like AllenNLP's class."""
    embedder: Any = build_embedder("float32", settings.models["tiny"])
    assert isinstance(embedder.encoder.word_cache, NoWordCache)


def test_layer_1_is_the_same_on_both_sides(settings: Settings) -> None:
    """The plugin's layer 1 has AllenNLP's vectors."""
    ((row,),) = measure_layers(settings).results.values()
    assert 0 <= row["largest_difference"] < 1e-5


def test_both_sides_write_the_same_file(settings: Settings, tmp_path: Path) -> None:
    """The datasets, the table of sentences and the token layers are the same in any order."""
    model = settings.models["tiny"]
    corpus = write_corpus(settings.sentences, tmp_path / "corpus.txt")
    bilm = _ElmoBiLm(str(model / "options.json"), str(model / "weights.hdf5"))
    paths = [extract_as_allennlp(bilm, corpus)]
    for name, extractor_class in {"sorted": ElmoExtractor, "unsorted": FileOrderExtractor}.items():
        same = corpus._replace(path=tmp_path / f"{name}.txt")
        shutil.copy(corpus.path, same.path)
        paths.append(run_job(extractor_class(load_elmo(model).encoder, batch_size=64), same))
    theirs, ours, unsorted = (h5py.File(path, "r") for path in paths)
    assert set(theirs) == set(ours) == set(unsorted)
    indices = [json.loads(file["sentence_to_index"][0]) for file in (theirs, ours)]
    assert indices[0] == indices[1]
    for key in map(str, range(corpus.num_sentences)):
        assert theirs[key].dtype == ours[key].dtype
        numpy.testing.assert_allclose(theirs[key][0], ours[key][0], atol=1e-5)
        numpy.testing.assert_allclose(unsorted[key], ours[key], atol=1e-5)


def test_the_encoder_alone_runs_the_batches_of_a_job(settings: Settings, tmp_path: Path) -> None:
    """Its batches are those that reach the encoder of a job, in their order."""
    corpus = write_corpus(settings.sentences, tmp_path / "corpus.txt")
    extractor = ElmoExtractor(load_elmo(settings.models["tiny"]).encoder, max_tokens=128)
    expected: List[torch.Tensor] = []
    extractor.encoder.register_forward_pre_hook(
        lambda _, inputs: expected.append(inputs[0].character_ids)
    )
    run_job(extractor, corpus)
    found = [batch.character_ids for batch in batches_of_job(extractor, corpus)]
    assert len(found) == len(expected) > 1
    assert all(map(torch.equal, found, expected))


def test_allennlp_extracts_an_even_sample(
    settings: Settings, monkeypatch: Any, capsys: Any
) -> None:
    """AllenNLP's class gets fewer sentences, from all parts of the text, and no bar is shown."""
    monkeypatch.setattr("benchmarks.extraction.ALLENNLP_NUM_SENTENCES", 7)
    sampled: List[List[List[str]]] = []

    def spy(sentences: List[List[str]], path: Path) -> Corpus:
        sampled.append(sentences)
        return write_corpus(sentences, path)

    monkeypatch.setattr("benchmarks.extraction.write_corpus", spy)
    ((row,),) = measure_extraction(settings).results.values()
    assert sampled == [settings.sentences, settings.sentences[::10]]
    assert (row["sentences"], row["allennlp_sentences"]) == (70, 7)
    assert row["tokens"] == sum(map(len, settings.sentences))
    assert row["share_of_encoder"] > 0 and row["ratio_to_file_order"] > 0
    assert capsys.readouterr() == ("", "")


def test_the_same_language_model_is_trained_on_both_sides(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same weights, both sides have the same loss over consecutive windows."""
    options = ElmoOptions.from_file(settings.models["tiny"] / "options.json")
    monkeypatch.setattr("benchmarks.language_model.OPTIONS", options)
    monkeypatch.setattr("benchmarks.language_model.STREAMS", 2)
    ((row,),) = measure_language_model(settings).results.values()
    assert 0 <= row["loss_difference"] < 1e-5
    assert 0 < row["samples"] < row["words"]
    assert row["tokens"] == 2 * 20 * 4


def test_a_converted_bilm_is_loaded_and_copied(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tasks run on a biLM with a dictionary of the stated sizes."""
    options = ElmoOptions(
        filters=((1, 4),),
        projection_dim=3,
        cell_size=5,
        num_layers=1,
        word_embedding_dim=2,
        num_words=12,
        num_characters=9,
    )
    monkeypatch.setattr("benchmarks.many_langs.OPTIONS", options)
    ((row,),) = measure_many_langs(settings).results.values()
    assert row["ratio"] == row["loading"] / row["copying"] > 0
    assert row["size"] > 1000


def test_tagged_tokens_are_read_as_they_are(tmp_path: Path) -> None:
    """A token may have a delimiter of the format or a space in it."""
    sentences = [["a", "b###c", "###"], ["1 000", "Na\u00efve\u00a0word"]]
    write_tagged(sentences, tmp_path / "tagged.txt")
    reader = SequenceTaggingDatasetReader(token_delimiter="\t")
    instances: Any = list(reader.read(str(tmp_path / "tagged.txt")))
    assert [[token.text for token in instance["tokens"]] for instance in instances] == sentences
    assert [instance["tags"].labels for instance in instances] == [["1", "5", "3"], ["5", "9"]]


def test_the_cache_changes_no_metric_of_an_epoch(
    settings: Settings, capsys: pytest.CaptureFixture
) -> None:
    """Each side trains silently, and the metrics with the cache are those without."""
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
    """Each embedder is trained with each seed, and the trained one tags every word right."""
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


def test_a_planted_change_is_ranked(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The table and the file have a row for each measure, with the ranks of the planted words."""
    (tmp_path / "texts").mkdir()
    lines = [f"{word} lies near the {other}\n" for word in NOUNS for other in NOUNS] * 3
    for name in ("a.txt", "b.txt"):
        (tmp_path / "texts" / name).write_text("".join(lines), encoding="utf-8")
    measure_planted(
        [
            *(str(tmp_path / "texts"), "--model", str(settings.models["tiny"]), "--words", "4"),
            *("--pairs", "1", "--shares", "1", "--occurrences", "5", "90", "--halves", "files"),
            *("--output", str(tmp_path / "output")),
        ]
    )
    rows = json.loads((tmp_path / "output" / "planted_change.json").read_text())
    names = ["apd", "cosine_distance", "jsd, affinity", "jsd, kmeans"]
    assert [row["measure"] for row in rows] == names
    assert all(len(row["ranks"]) == 2 and row["last_rank"] <= 4 for row in rows)
    assert "Ranks of 2 planted words among 4" in capsys.readouterr().out


def test_words_are_swapped_in_a_share_of_the_sentences() -> None:
    """All of a pair's words in a sentence are swapped or none; other sentences stay."""
    sentences = [["cat", "sees", "dog"], ["no", "one"], ["dog", "dog"]] * 50
    swapped = [["dog", "sees", "cat"], ["no", "one"], ["cat", "cat"]] * 50
    found = list(plant(sentences, [("cat", "dog")], 0.5, seed=1))
    assert all(
        any(each == side for side in sides) for each, *sides in zip(found, sentences, swapped)
    )
    assert 30 < sum(one != other for one, other in zip(found, sentences)) < 70
    assert list(plant(sentences, [("cat", "dog")], 1, seed=1)) == swapped


@pytest.mark.parametrize("by", ["sentences", "files"])
def test_a_corpus_is_cut_into_halves(tmp_path: Path, by: str) -> None:
    """Each sentence is in one half, and by files each file is."""
    for name in "abcd":
        (tmp_path / name).write_text(f"{name} x\n\n" * 20, encoding="utf-8")
    halves = split_texts([tmp_path / name for name in "abcd"], by, seed=0)
    assert sorted(sum(halves, [])) == [[name, "x"] for name in "abcd" for _ in range(20)]
    names = [{sentence[0] for sentence in half} for half in halves]
    assert [len(each) for each in names] == ([2, 2] if by == "files" else [4, 4])


def test_targets_are_frequent_enough_in_both_halves() -> None:
    """Words in lower case within the bounds are drawn, the most frequent first."""
    first = [["house", "house", "Garden", "door", "tree", "much"] * 2, ["much"] * 9]
    second = [["house", "tree", "door", "Garden", "garden"] * 3]
    assert choose_targets(Halves(first, second), 3, (2, 8), seed=0) == ["house", "door", "tree"]
    with pytest.raises(ValueError, match="expected 4 words with 2 to 8 occurrences .* found 3"):
        choose_targets(Halves(first, second), 4, (2, 8), seed=0)


def test_minimal_pairs_are_minimal() -> None:
    """Thirty pairs of each of five phenomena, no sentence twice, and few tokens that differ."""
    pairs = [json.loads(line) for line in MINIMAL_PAIRS.read_text(encoding="utf-8").splitlines()]
    names = ("agreement", "determiners", "reflexives", "word order", "negation")
    assert Counter(pair["phenomenon"] for pair in pairs) == dict.fromkeys(names, 30)
    sentences = [pair[member] for pair in pairs for member in ("sentence_good", "sentence_bad")]
    assert len(set(sentences)) == 300
    for pair in pairs:
        good, bad = pair["sentence_good"].split(" "), pair["sentence_bad"].split(" ")
        assert len(good) == len(bad)
        assert sum(one != other for one, other in zip(good, bad)) <= 3
        assert (sorted(good) == sorted(bad)) == (pair["phenomenon"] == "word order")


def test_the_accuracy_of_minimal_pairs_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each phenomenon and one for all, with both initial states."""
    measure_minimal_pairs([str(write_language_model(tmp_path))])
    rows = [line.rsplit(maxsplit=4) for line in capsys.readouterr().out.splitlines()[3:]]
    assert [row[:2] for row in rows] == [
        *(["agreement", "30"], ["determiners", "30"], ["reflexives", "30"]),
        *(["word order", "30"], ["negation", "30"], ["all", "150"]),
    ]
    assert all(0 <= float(cell) <= 100 for row in rows for cell in row[2:4])


def test_scores_are_measured_beside_the_bilm(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest case is always measured, and others by the names of the run's shapes."""
    options = ElmoOptions(filters=((1, 16),), projection_dim=16, cell_size=16, num_layers=1)
    case = scoring.ScoringCase(options, 70)
    monkeypatch.setattr(scoring, "CASES", {"first": case, "tiny": case, "other": case})
    section = scoring.measure_scoring(settings)
    assert [row["shape"] for row in section.results["scoring"]] == ["first", "tiny"]
    for row in section.results["scoring"]:
        assert row["tokens"] >= 400 and 0 < row["share"] <= 1
