"""The command `allennlp elmo`: every argument does what its help says."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, Dict, List, Sequence

import h5py
import numpy
import pytest
from allennlp.common import file_utils

from allennlp_elmo_plugin.commands.elmo import ElmoVectors
from allennlp_elmo_plugin.weights.published import catalogue
from allennlp_elmo_plugin.weights.published.catalogue import PublishedModel
from tests.support import elmo_command
from tests.support.elmo_command import (
    SIZES,
    CommandFolder,
    failing_after,
    read_hdf5,
    read_sentence_index,
    write_command_folder,
)
from tests.support.http_server import Answer, serving
from tests.support.oracle import Oracle, carry_states
from tests.support.tagger_experiment import tagger, train

LINES = ["The rain falls .", "a", "caf\u00e9 \u96e8 rain", "rain rain rain rain", "a"]
SENTENCES = [line.split() for line in LINES]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> CommandFolder:
    return write_command_folder(tmp_path, "\n".join(LINES) + "\n")


def _oracle(folder: Path) -> Oracle:
    return Oracle(str(folder / "elmo" / "options.json"), str(folder / "elmo" / "weights.hdf5"))


@pytest.fixture(scope="module", name="expected")
def _expected(tmp_path_factory: pytest.TempPathFactory) -> List[numpy.ndarray]:
    """All layers of each sentence and its boundaries from a state of zeros."""
    path = write_command_folder(tmp_path_factory.mktemp("expected"), "").path
    oracle = _oracle(path)
    return [oracle.batch_layers([sentence]).layers[:, 0] for sentence in SENTENCES]


def _assert_close(found: Dict[str, numpy.ndarray], expected: Sequence[numpy.ndarray]) -> None:
    assert sorted(found, key=int) == [str(number) for number in range(len(expected))]
    for key, vectors in found.items():
        assert vectors.shape == expected[int(key)].shape
        assert vectors.dtype == numpy.float32
        assert abs(vectors - expected[int(key)]).max() < 1e-5


# The flags of AllenNLP 0.9.


@pytest.mark.parametrize(
    "flag, reduce",
    [
        ("--all", lambda layers: layers),
        ("--top", lambda layers: layers[-1]),
        ("--average", lambda layers: layers.mean(axis=0)),
    ],
)
def test_the_command_line_of_allennlp_0_9_gives_its_file(
    folder: CommandFolder, flag: str, reduce: Any
) -> None:
    """All of its flags together, and the state that it carried from batch to batch."""
    elmo = folder.path / "elmo"
    folder.run(
        *("in.txt", "out.hdf5", flag, "--vocab-path", "nowhere", "--batch-size", "2"),
        *("--options-file", str(elmo / "options.json")),
        *("--weight-file", str(elmo / "weights.hdf5")),
        *("--file-friendly-logging", "--cuda-device", "-1"),
        model="",
        state="carry",
    )
    oracle, states, expected = _oracle(folder.path), [], []
    for start in range(0, len(SENTENCES), 2):
        batch = SENTENCES[start : start + 2]
        result = oracle.batch_layers(batch, states)
        states = carry_states(states, result.states)
        for row, sentence in enumerate(batch):
            expected.append(reduce(result.layers[:, row, 1 : len(sentence) + 1]))
    _assert_close(read_hdf5(folder.path / "out.hdf5"), expected)
    # Of equal sentences the last counts.
    numbers = {line: str(number) for number, line in enumerate(LINES)}
    with h5py.File(folder.path / "out.hdf5") as file:
        assert json.loads(file.get("sentence_to_index")[0]) == numbers
        assert len(file.keys()) - 1 == len(LINES)
    assert folder.names() == ["out.hdf5"]


def test_sentences_can_be_forgotten_or_be_keys(folder: CommandFolder) -> None:
    """Either way there is no table, and keys are numbers or the sentences themselves."""
    folder.run("in.txt", "out.h5", "--forget-sentences")
    with h5py.File(folder.path / "out.h5") as file:
        assert set(file) == set("01234")
    folder.write("in.txt", "\n".join(LINES[:4]))
    for flag in (["--use-sentence-keys"], ["--keys", "sentences"]):
        folder.run("in.txt", "out.h5", *flag)
        assert set(h5py.File(folder.path / "out.h5")) == set(LINES[:4])


def test_equal_sentences_cannot_be_keys(folder: CommandFolder) -> None:
    """The error names the clash, and nothing is written."""
    with pytest.raises(SystemExit, match="'a'"):
        folder.run("in.txt", "out.h5", "--use-sentence-keys")
    assert folder.names() == []


def test_blank_lines_are_listed_or_kept(folder: CommandFolder) -> None:
    """As in 0.9, their numbers from 0 are in the error; `empty` gives arrays without tokens."""
    folder.write("in.txt", "a\n\nrain\n \n")
    with pytest.raises(SystemExit, match="0\\): 1, 3"):
        folder.run("in.txt", "out.h5")
    folder.run("in.txt", "out.h5", "--blank-lines", "empty")
    shapes = [array.shape for array in read_hdf5(folder.path / "out.h5").values()]
    assert shapes == [(3, 1, 32), (3, 0, 32), (3, 1, 32), (3, 0, 32)]


# The model.


def test_precisions_are_close(folder: CommandFolder, expected: List[numpy.ndarray]) -> None:
    """Other precisions give other numbers of nearly the same direction."""
    for precision in ("bfloat16", "int8"):
        folder.run("in.txt", "out.h5", "--precision", precision)
        found = read_hdf5(folder.path / "out.h5")["0"]
        difference = abs(found - expected[0][:, 1:-1]).max()
        assert 1e-5 < difference < 0.2


def test_the_warm_up_text_is_a_file_or_the_input(folder: CommandFolder) -> None:
    """Texts that are equal give equal vectors, and others do not."""
    folder.write("warm.txt", "\n".join(LINES))
    folder.write("other.txt", "falls falls\n")
    found = []
    for options in ([], ["warm.txt"], ["input"], ["other.txt"]):
        paths = ["--warm-up", *(str(folder.path / name) for name in options)]
        if options == ["input"]:
            paths = ["--warm-up", "input"]
        folder.run("in.txt", "out.npz", *(paths if options else []), state="warm")
        with numpy.load(folder.path / "out.npz") as arrays:
            found.append(arrays["0"])
    assert (found[1] == found[2]).all()
    assert (found[0] != found[1]).any() and (found[1] != found[3]).any()


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained")
    train(tagger(path, SIZES, requires_grad=True), path / "run")
    return path / "run" / "model.tar.gz"


def test_a_trained_model_has_its_mix(folder: CommandFolder, trained: Path) -> None:
    """`--mix` and `--mix 0` are the weighted sum of the layers that `--all` writes."""
    shutil.copy(trained, folder.path / "model.tar.gz")
    name = "text_field_embedder.token_embedder_elmo._elmo._elmo_lstm"
    mixes = []
    for options in (["--mix"], ["--mix", "0"], ["--all", "--module", name]):
        folder.run("in.txt", "out.h5", *options, model="model.tar.gz", state="warm")
        mixes.append(read_hdf5(folder.path / "out.h5")["0"])
    assert (mixes[0] == mixes[1]).all()
    # The mix has three weights and a factor, which the vectors determine.
    layers = mixes[2].reshape(3, -1)
    weights = numpy.linalg.lstsq(layers.T, mixes[0].ravel(), rcond=None)[0]
    assert abs(weights @ layers - mixes[0].ravel()).max() < 1e-4
    assert (weights > 0).all()


# The input.


@pytest.mark.parametrize(
    "name, text, options, keys",
    [
        ("a.jsonl", '{"id": "x", "sentence": "a b"}\n{"id": "y", "tokens": ["a"]}', [], "xy"),
        ("a.conllu", "# sent_id = x\n1\ta\n2\tb\n\n# sent_id = y\n1\ta\n", [], "xy"),
        ("a.faa", ">x protein\nmk\n>y\nV\n", [], "xy"),
        ("a.text", ">x\nMK\n>y\nV\n", ["--input-format", "fasta"], "xy"),
        ("a.text", "It rains. No!\n", ["--tokenize", "en"], "01"),
        ("a.jsonl", '{"id": "x", "tokens": ["a"]}', ["--keys", "numbers"], "0"),
    ],
)
def test_input_has_many_formats(
    folder: CommandFolder, name: str, text: str, options: List[str], keys: str
) -> None:
    """The ending or an option chooses the format, and ids of the input are keys."""
    folder.write(name, text)
    folder.run(name, "out.h5", "--top", *options)
    assert set(read_hdf5(folder.path / "out.h5")) == set(keys)
    with h5py.File(folder.path / "out.h5") as file:
        # With ids there is no need for a table.
        assert ("sentence_to_index" in file) == (keys[0] == "0")


def test_standard_input_is_read(folder: CommandFolder, expected: List[numpy.ndarray]) -> None:
    """A minus sign stands for it, and its copy is gone at the end."""
    folder.run_with_input("\n".join(LINES), "out.h5")
    _assert_close(read_hdf5(folder.path / "out.h5"), [each[:, 1:-1] for each in expected])
    assert set(read_sentence_index(folder.path / "out.h5")) == set(LINES)
    assert folder.names() == ["out.h5"]


def test_faults_of_standard_input_are_named(folder: CommandFolder) -> None:
    """The error does not name the copy, which is removed."""
    with pytest.raises(SystemExit, match="sentence of 'standard input'"):
        folder.run_with_input("a\n\n", "out.h5")
    with pytest.raises(SystemExit, match="no module|elsewhere"):
        folder.run_with_input("a\n", "out.h5", model="elsewhere")
    assert folder.names() == []


@pytest.mark.parametrize("ending", ["hdf5", "npz", "npy", "jsonl", "parquet", "types", "targets"])
def test_no_sentences_give_an_empty_file(folder: CommandFolder, ending: str) -> None:
    """An empty part of a corpus is no error, as in 0.9."""
    folder.write("in.txt", "")
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    if ending == "types":
        folder.run("in.txt", "out.txt", "--top", "--types", "3")
        assert (folder.path / "out.txt").read_text() == "0 32\n"
    elif ending == "targets":
        folder.run("in.txt", "out.npz", "--targets", folder.write("words.txt", "rain"))
        assert numpy.load(folder.path / "out.npz")["rain"].shape == (0, 3, 32)
    else:
        folder.run("in.txt", f"out.{ending}")
        assert _num_sentences(folder.path / f"out.{ending}") == 0


def _num_sentences(path: Path) -> int:
    if path.suffix == ".hdf5":
        assert read_sentence_index(path) == {}
        return len(read_hdf5(path))
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return len(parquet.read_table(path))
    return len(numpy.load(path)) if path.suffix != ".jsonl" else len(path.read_bytes())


# The output.


@pytest.mark.parametrize(
    "options, reduce",
    [
        ([], lambda layers: layers[:, 1:-1]),
        (["--layer", "0"], lambda layers: layers[0, 1:-1]),
        (["--layer", "1"], lambda layers: layers[1, 1:-1]),
        (["--keep-sentence-boundaries"], lambda layers: layers),
        (["--pool", "mean"], lambda layers: layers[:, 1:-1].mean(axis=1)),
        (["--pool", "mean", "--top"], lambda layers: layers[2, 1:-1].mean(axis=0)),
        (["--max-tokens", "1"], lambda layers: layers[:, 1:-1]),
    ],
)
def test_vectors_are_reduced(
    folder: CommandFolder, expected: List[numpy.ndarray], options: List[str], reduce: Any
) -> None:
    """Layers and tokens are chosen or averaged, beside the oracle."""
    folder.run("in.txt", "out.h5", *options)
    _assert_close(read_hdf5(folder.path / "out.h5"), [reduce(layers) for layers in expected])


def test_numbers_can_have_half_the_size(
    folder: CommandFolder, expected: List[numpy.ndarray]
) -> None:
    """`--dtype float16` rounds float32."""
    folder.run("in.txt", "out.h5", "--top", "--dtype", "float16")
    found = read_hdf5(folder.path / "out.h5")["2"]
    assert found.dtype == numpy.float16
    assert abs(found - expected[2][2, 1:-1]).max() < 1e-2


def test_targets_are_collected(folder: CommandFolder, expected: List[numpy.ndarray]) -> None:
    """Each word has its occurrences in the order of the text, and their places."""
    words = folder.write("words.txt", "rain\n\nnowhere\na\n rain\n")
    folder.run("in.txt", "bank.npz", "--top", "--targets", words)
    places = json.loads((folder.path / "bank.json").read_text())
    assert places == {
        "rain": [["0", 1], ["2", 2], *(["3", position] for position in range(4))],
        "nowhere": [],
        "a": [["1", 0], ["4", 0]],
    }
    with numpy.load(folder.path / "bank.npz") as arrays:
        assert list(arrays) == list(places) and arrays["nowhere"].shape == (0, 32)
        for word, occurrences in places.items():
            for vector, (key, position) in zip(arrays[word], occurrences):
                assert abs(vector - expected[int(key)][2, position + 1]).max() < 1e-5


def _read_word2vec(path: Path) -> Dict[str, numpy.ndarray]:
    """Reads the two formats as word2vec's own tools do."""
    with open(path, "rb") as file:
        num_words, dim = map(int, file.readline().split())
        vectors = {}
        for _ in range(num_words):
            word = bytearray()
            while (letter := file.read(1)) != b" ":
                word += letter
            if path.suffix == ".bin":
                vector = numpy.frombuffer(file.read(4 * dim), dtype="<f4")
                assert file.read(1) == b"\n"
            else:
                vector = numpy.array(file.readline().split(), dtype="float32")
            assert vector.shape == (dim,)
            vectors[word.decode()] = vector
        assert not file.read()
        return vectors


def test_frequent_words_have_vectors(folder: CommandFolder, expected: List[numpy.ndarray]) -> None:
    """The text and the binary format hold the same means of length 1, frequent words first."""
    for name in ("types.vec", "types.bin", "types.txt"):
        folder.run("in.txt", name, "--top", "--types", "3")
    found = _read_word2vec(folder.path / "types.bin")
    assert list(found) == ["rain", "a", "The"]
    tokens = [token for sentence in SENTENCES for token in sentence]
    vectors = numpy.concatenate([layers[2, 1:-1] for layers in expected])
    for word, vector in found.items():
        mean = vectors[[token == word for token in tokens]].mean(axis=0)
        assert abs(vector - mean / numpy.linalg.norm(mean)).max() < 1e-5
    for name in ("types.vec", "types.txt"):
        text = _read_word2vec(folder.path / name)
        assert list(text) == list(found)
        assert all((text[word] == found[word]).all() for word in found)


def test_an_earlier_file_is_replaced(folder: CommandFolder) -> None:
    """As 0.9 did, but only when the new one is complete."""
    folder.write("out.h5", "older")
    with failing_after(0, RuntimeError), pytest.raises(RuntimeError):
        folder.run("in.txt", "out.h5")
    assert (folder.path / "out.h5").read_text() == "older"
    folder.run("in.txt", "out.h5", "--resume")
    assert len(read_hdf5(folder.path / "out.h5")) == 5


# Running.


def test_the_plan_and_the_result_are_told(
    folder: CommandFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts and sizes come first, and a line of summary last."""
    folder.run("in.txt", "out.npy", "--top")
    first, second, last = capsys.readouterr().out.strip().splitlines()
    assert first == "Found 5 sentences with 13 tokens, the longest with 4."
    assert "out.npy' will take about" in second and second.endswith("are free.")
    paths = f"{folder.path / 'out.json'} and {folder.path / 'out.npy'}"
    assert last.startswith(f"Wrote 5 sentences to {paths}: 13 tokens in ")
    assert last.endswith("tokens a second")


def test_one_sentence_is_no_plural(
    folder: CommandFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is one token, or one sentence that has a target."""
    folder.run_with_input("rain\n", "out.npz")
    words = folder.write("words.txt", "falls\n")
    folder.run("in.txt", "out.npz", "--targets", words)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Found 1 sentence with 1 token, the longest with 1."
    assert lines[2].startswith("Wrote 1 sentence to ") and ": 1 token in " in lines[2]
    assert lines[3].endswith(". 1 of them has a target.")


def test_interrupted_work_is_kept_and_resumed(
    folder: CommandFolder, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Ctrl-C gives status 130 and says how to go on, which only runs what is left."""
    options = ("in.txt", "out.h5", "--max-tokens", "1")
    folder.run("in.txt", "expected.h5", "--max-tokens", "1")
    with failing_after(1), pytest.raises(SystemExit) as stopped:
        folder.run(*options)
    assert stopped.value.code == 130
    assert "same command with --resume to go on" in capsys.readouterr().err
    assert "same command with --resume to go on" in caplog.text
    assert folder.names() == ["expected.h5", "out.h5.partial"]
    with pytest.raises(SystemExit, match="with --resume, or delete the folder"):
        folder.run(*options)
    folder.run(*options, "--resume")
    assert ": 5 tokens in" in capsys.readouterr().out
    expected, found = (read_hdf5(folder.path / name) for name in ("expected.h5", "out.h5"))
    assert all(abs(expected[key] - found[key]).max() < 1e-5 for key in expected)
    assert folder.names() == ["expected.h5", "out.h5"]


def test_resume_begins_where_there_is_nothing(folder: CommandFolder) -> None:
    """A script can always give `--resume`."""
    folder.run("in.txt", "out.h5", "--resume")
    assert len(read_hdf5(folder.path / "out.h5")) == 5


def test_standard_input_is_resumed_from_its_copy(folder: CommandFolder) -> None:
    """The rest of the text need not be given again."""
    options = ("out.h5", "--max-tokens", "1")
    with failing_after(1), pytest.raises(SystemExit):
        folder.run_with_input("\n".join(LINES), *options)
    folder.run_with_input("", *options, "--resume")
    assert len(read_hdf5(folder.path / "out.h5")) == 5
    assert folder.names() == ["out.h5"]


def test_a_copy_that_a_kill_left_is_not_taken_for_standard_input(folder: CommandFolder) -> None:
    """Without `--resume`, each run reads its own."""
    (folder.path / "out.h5.partial").mkdir()
    folder.write("out.h5.partial/input", "a\na\na\n")
    folder.run_with_input("rain\n", "out.h5")
    assert read_sentence_index(folder.path / "out.h5") == {"rain": "0"}


def test_other_settings_are_listed(folder: CommandFolder) -> None:
    """Work goes on with the same input and options only, and stays."""
    words = folder.write("warm.txt", "a\n")
    options = ("in.txt", "out.h5", "--max-tokens", "1", "--warm-up", words)
    with failing_after(1), pytest.raises(SystemExit):
        folder.run(*options, state="warm")
    folder.write("warm.txt", "rain\n")
    with pytest.raises(SystemExit) as error:
        folder.run(*options, "--top", "--dtype", "float16", "--resume", state="warm")
    for difference in (
        "layers was 'all' and is 'top'",
        "dtype was 'float32' and is 'float16'",
        "warm-up was ",
    ):
        assert difference in str(error.value)
    folder.write("in.txt", "a\n")
    with pytest.raises(SystemExit, match="input was "):
        folder.run(*options, "--resume", state="warm")
    assert "out.h5.partial" in folder.names()


def test_a_carried_state_cannot_be_resumed(folder: CommandFolder) -> None:
    """It is lost, so nothing is kept either."""
    with failing_after(1), pytest.raises(SystemExit):
        folder.run("in.txt", "out.h5", "--batch-size", "2", state="carry")
    assert folder.names() == []
    with pytest.raises(SystemExit, match="without --resume, or take another initial"):
        folder.run("in.txt", "out.h5", "--resume", state="carry")
    assert folder.names() == []


# Errors.


@pytest.mark.parametrize(
    "options, problem",
    [
        (["--options-file", "x"], "--model and --options-file or --weight-file"),
        (["--pool", "mean", "--keep-sentence-boundaries"], "boundaries do not count"),
        (["--warm-up", "input"], "Only 'warm' reads one"),
        (["--module", "x"], "no trained model"),
        (["--mix"], "trained scalar mixes of the model are: none"),
        (["--layer", "3"], "3"),
        (["--max-tokens", "0"], "'max_tokens' to be at least 1"),
        (["--batch-size", "0"], "'batch_size' to be at least 1"),
        (["--tokenize", "en", "--input-format", "conllu"], "has tokens of its own"),
        (["--types", "3"], "ends in .txt, .vec, .bin"),
        (["--types", "3", "--dtype", "float16"], "hold float32"),
        (["--targets", "in.txt"], "ends in .npz"),
    ],
)
def test_contradictions_are_errors(folder: CommandFolder, options: List[str], problem: str) -> None:
    """The message says what does not go together, and nothing is left behind."""
    options = [str(folder.path / each) if each == "in.txt" else each for each in options]
    with pytest.raises(SystemExit) as error:
        folder.run("in.txt", "out.h5", *options)
    assert problem in str(error.value)
    assert folder.names() == []


@pytest.mark.parametrize(
    "options",
    [
        ["--all", "--top"],
        ["--mix", "--average"],
        ["--pool", "mean", "--types", "3"],
        ["--targets", "x", "--types", "3"],
        ["--precision", "int4"],
        ["--initial-state", "cold"],
        ["--mix", "in.txt"],
    ],
)
def test_argparse_refuses_other_contradictions(
    folder: CommandFolder, options: List[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error stands on the command line."""
    with pytest.raises(SystemExit):
        folder.run("in.txt", "out.h5", *options)
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    "source, output, problem",
    [
        ("in.txt", "in.txt", "would replace"),
        ("bank.json", "bank.npy", "would replace"),
        ("in.txt", "nowhere/out.h5", "existing folder"),
        ("in.txt", "elmo", "is a folder"),
        ("in.txt", "out.csv", ".parquet"),
        ("missing.txt", "out.h5", "missing.txt"),
    ],
)
def test_paths_are_checked_before_anything_is_written(
    folder: CommandFolder, source: str, output: str, problem: str
) -> None:
    """No input is replaced, and the folder stays as it was."""
    folder.write("bank.json", '{"tokens": ["a"]}\n')
    before = {path: path.read_bytes() for path in folder.path.glob("*.*")}
    options = ["--types", "3", "--top"] if output == "in.txt" else []
    with pytest.raises(SystemExit, match=problem):
        folder.run(source, output, *options)
    assert {path: path.read_bytes() for path in folder.path.glob("*.*")} == before


@pytest.mark.parametrize("option", ["--targets", "--warm-up", "--options-file"])
def test_no_other_file_that_is_read_is_replaced(folder: CommandFolder, option: str) -> None:
    """The places of targets would replace a list of words with the ending `.json`."""
    words = folder.write("bank.json", "rain\n")
    options = [option, words] if option == "--targets" else ["--targets", words, option, words]
    with pytest.raises(SystemExit, match="would replace '.*bank.json'"):
        folder.run("in.txt", "bank.npz", *options)
    assert (folder.path / "bank.json").read_text() == "rain\n"


# Published models.


def test_a_published_model_is_downloaded(
    folder: CommandFolder, expected: List[numpy.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name in place of a path fetches the archive that it stands for."""
    archive = shutil.make_archive(str(folder.path / "elmo"), "zip", folder.path / "elmo")
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(folder.path / "cache"))
    with serving() as server:
        server.answers["/elmo.zip"] = Answer(Path(archive).read_bytes())
        addresses = ({"archive": f"{server.url}/elmo.zip"},)
        model = PublishedModel("mine", "", ("English",), "", addresses)
        monkeypatch.setattr(catalogue, "published_models", lambda: {"mine": model})
        folder.run("in.txt", "out.hdf5", "--model", "published:mine", model="")
    _assert_close(read_hdf5(folder.path / "out.hdf5"), [layers[:, 1:-1] for layers in expected])


# The help.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    return ElmoVectors().add_subparser(parser.add_subparsers())


def test_the_help_names_every_argument() -> None:
    """Only the argument that nothing reads is left out."""
    parser = _parser()
    text = parser.format_help()
    for action in parser._actions:
        is_hidden = action.help == argparse.SUPPRESS
        assert is_hidden == ("--vocab-path" in action.option_strings)
        for name in action.option_strings or [str(action.metavar)]:
            assert (name in text) != is_hidden


def test_every_argument_is_tested_here() -> None:
    """An option that is added needs a test, here or in the module about --ray."""
    on_ray = Path(__file__).with_name("test_elmo_on_ray.py")
    files = (__file__, elmo_command.__file__, on_ray)
    text = "".join(Path(file).read_text(encoding="utf-8") for file in files)
    for action in _parser()._actions:
        for name in action.option_strings:
            assert name in ("-h", "--help") or f'"{name}"' in text, name


# TensorBoard's projector.


def test_words_are_written_for_the_projector(folder: CommandFolder) -> None:
    """Beside `--types`, the words of the output are the points."""
    projector = folder.path / "projector"
    folder.run("in.txt", "types.txt", "--top", "--types", "3", "--projector", str(projector))
    labels = (projector / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert labels == ["word\trank", "rain\t1", "a\t2", "The\t3"]
    points = numpy.loadtxt(projector / "vectors.tsv", delimiter="\t")
    lines = (folder.path / "types.txt").read_text(encoding="utf-8").splitlines()[1:]
    expected = [list(map(float, line.split()[1:])) for line in lines]
    assert numpy.allclose(points, expected, rtol=1e-5, atol=0)


def test_occurrences_are_written_for_the_projector(folder: CommandFolder) -> None:
    """Beside `--targets`, also from standard input, each occurrence is a point in its sentence."""
    words, projector = folder.write("words.txt", "rain\n"), folder.path / "projector"
    text = "\n".join(LINES) + "\n"
    folder.run_with_input(text, "bank.npz", "--targets", words, "--projector", str(projector))
    labels = (projector / "metadata.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert [label.split("\t")[1] for label in labels] == [LINES[0], LINES[2], *4 * [LINES[3]]]
    bank = numpy.load(folder.path / "bank.npz")["rain"]
    for layer in range(3):
        points = numpy.loadtxt(projector / f"layer_{layer}.tsv", delimiter="\t")
        assert numpy.allclose(points, bank[:, layer], rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    "options, message",
    [
        ([], "Got --projector without words to show"),
        (["--types", "2", "--top", "--ray", "local"], "Got --projector and --ray"),
    ],
)
def test_a_projector_needs_words_and_one_process(
    folder: CommandFolder, options: List[str], message: str
) -> None:
    """Anything else is an error before the input is read."""
    with pytest.raises(SystemExit, match=message):
        folder.run("no.txt", "out.txt", *options, "--projector", str(folder.path / "projector"))
    assert not folder.names()
