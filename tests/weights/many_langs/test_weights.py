"""The weights of ELMoForManyLangs biLMs, compared with what that program computes."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoExtractor
from allennlp_elmo_plugin.weights import read_spelling
from allennlp_elmo_plugin.weights.many_langs import ManyLangsWeights
from tests.support.many_langs_files import CASES, CHARACTERS, WORDS, write_many_langs
from tests.tools.many_langs_vectors import BATCH_SIZE, SENTENCES, fixture_path

TOLERANCE = 1e-5


def _require_equal(found: List[numpy.ndarray], name: str, kind: str) -> None:
    with numpy.load(fixture_path(name)) as expected:
        for i, layers in enumerate(found):
            assert layers.shape == expected[f"{kind} {i}"].shape
            assert abs(layers - expected[f"{kind} {i}"]).max(initial=0.0) < TOLERANCE


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("is_converted", [False, True], ids=["as it is", "converted"])
def test_layers_are_those_of_elmoformanylangs(
    tmp_path: Path, name: str, is_converted: bool
) -> None:
    """All layers agree, for unknown words and characters, cut words and empty sentences."""
    model = write_many_langs(tmp_path / "model", CASES[name])
    if is_converted:
        ElmoBilm.from_files(model, model).to_folder(tmp_path / "converted")
        model = tmp_path / "converted"
    extractor = ElmoExtractor.load(model, initial_state="zero")
    _require_equal(extractor.embed(SENTENCES), name, "alone")


@pytest.mark.parametrize("name", list(CASES))
def test_a_carried_state_is_that_of_elmoformanylangs(tmp_path: Path, name: str) -> None:
    """Layers agree over several batches, when the state of each goes on from the last."""
    model = write_many_langs(tmp_path, CASES[name])
    extractor = ElmoExtractor.load(model, initial_state="carry", batch_size=BATCH_SIZE)
    order = sorted(range(len(SENTENCES)), key=lambda i: -len(SENTENCES[i]))
    for turn in ("first", "second"):
        found = extractor.embed([SENTENCES[i] for i in order])
        in_order = [found[order.index(i)] for i in range(len(order))]
        _require_equal(in_order, name, turn)


@pytest.mark.parametrize("precision, smallest", [("bfloat16", 0.999), ("int8", 0.99)])
def test_a_reduced_precision_is_near(tmp_path: Path, precision: str, smallest: float) -> None:
    """Rounded matrices give nearly the same vectors."""
    model = write_many_langs(tmp_path)
    full, reduced = (
        ElmoExtractor.load(model, initial_state="zero", precision=each).embed(SENTENCES[:1])[0]
        for each in ("float32", precision)
    )
    cosines = torch.cosine_similarity(torch.tensor(full), torch.tensor(reduced), dim=-1)
    assert smallest < float(cosines.min()) < 1 - 1e-9


def test_state_dicts_of_newer_versions_are_read(tmp_path: Path) -> None:
    """The zip format of PyTorch 1.6 gives the weights of the older format."""
    path = write_many_langs(tmp_path)
    expected = ElmoBilm.from_files(path, path).state_dict()
    for file in tmp_path.glob("*.pkl"):
        torch.save(torch.load(file), file)
    found = {name: weight for part in ManyLangsWeights(path, path) for name, weight in part.items()}
    assert set(found) == set(expected)
    assert all(torch.equal(weight, expected[name]) for name, weight in found.items())


def test_the_config_stands_for_the_options(tmp_path: Path) -> None:
    """Both `config.json` and `encoder.pkl` name the options."""
    path = write_many_langs(tmp_path)
    options = ElmoBilm.from_files(tmp_path / "config.json", path).options
    assert options == ElmoBilm.from_files(path, path).options


def test_a_spelling_is_read_without_weights(tmp_path: Path) -> None:
    """The spelling needs the config and the dictionaries alone."""
    path = write_many_langs(tmp_path)
    expected = ElmoBilm.from_files(path, path).options.spelling
    for file in tmp_path.glob("*.pkl"):
        file.write_bytes(b"")
    assert read_spelling(path, path) == expected


def test_a_spelling_is_read_from_a_converted_bilm(tmp_path: Path) -> None:
    """Our files give the spelling of the files that they were made from."""
    path = write_many_langs(tmp_path / "model")
    bilm = ElmoBilm.from_files(path, path)
    bilm.to_folder(tmp_path / "converted")
    assert read_spelling(tmp_path / "converted", tmp_path / "converted") == bilm.options.spelling


def _save(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def _change(file: str, change: Callable[[Dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = torch.load(folder / file)
        change(tensors)
        _save(tensors, folder / file)

    return damage


def _write_entries(file: str, entries: List[str]) -> Callable[[Path], None]:
    lines = [f"{entry}\t{number}\n" for number, entry in enumerate(entries)]
    return lambda folder: (folder / file).write_text("".join(lines), encoding="utf-8") and None


LAYER = "forward_layer_0.state_linearity.bias"
FAULTS: Dict[str, Any] = {
    "words of another": (
        _write_entries("word.dic", [*WORDS, "more"]),
        r"'word\.dic' has ids for 11 rows, its table 10 rows\. So 'word\.dic' belongs to another",
    ),
    "characters of another": (
        _write_entries("char.dic", CHARACTERS[1:]),
        r"'char\.dic' has ids for 30 rows, its table 31 rows\. So 'char\.dic' belongs to another",
    ),
    "tables of another": (
        lambda folder: [
            _write_entries("char.dic", CHARACTERS[1:])(folder),
            _write_entries("word.dic", [*WORDS, "more"])(folder),
        ],
        r"either both dictionaries or 'token_embedder\.pkl' belong to another model",
    ),
    "missing tensor": (
        _change("encoder.pkl", lambda tensors: tensors.pop(LAYER)),
        rf"encoder\.pkl' do not fit.*missing: {LAYER}, expected shape \(128,\)",
    ),
    "mis-shaped tensor": (
        _change("encoder.pkl", lambda tensors: tensors.update({LAYER: torch.zeros(3)})),
        rf"mis-shaped: {LAYER}, expected \(128,\), got \(3,\)",
    ),
    "integers": (
        _change("encoder.pkl", lambda tensors: tensors.update({LAYER: torch.zeros(128).long()})),
        rf"unreadable: {LAYER}, expected floats, got torch.int64",
    ),
    "unexpected tensor": (
        _change("token_embedder.pkl", lambda tensors: tensors.update(x=torch.zeros(3))),
        r"token_embedder\.pkl' do not fit.*unexpected: x",
    ),
    "not finite": (
        _change("encoder.pkl", lambda tensors: tensors[LAYER][5].fill_(float("nan"))),
        rf"Expected finite numbers in '.*encoder\.pkl', but '{LAYER}' has nan at index 5",
    ),
    "no tensors": (
        lambda folder: _save([1], folder / "encoder.pkl"),
        r"Expected tensors by name in '.*encoder\.pkl', got list",
    ),
    "cut off": (
        lambda folder: (folder / "encoder.pkl").write_bytes(b"abc"),
        r"Expected a whole file of torch\.save at '.*encoder\.pkl'",
    ),
    "no embedder": (
        lambda folder: (folder / "token_embedder.pkl").unlink(),
        r"in '.*token_embedder\.pkl', but there is no such file",
    ),
    "dictionary of another program": (
        _write_entries("char.dic", [each for each in CHARACTERS if each != "<bow>"]),
        r"'char\.dic' in '.*': Expected a dictionary with the characters .*lacks <bow>\.",
    ),
    "no words": (
        lambda folder: (folder / "word.dic").unlink(),
        r"the dictionary 'word\.dic' of an ELMoForManyLangs biLM at '.*', but there is none",
    ),
}


@pytest.mark.parametrize("damage, expected", list(FAULTS.values()), ids=list(FAULTS))
def test_files_that_do_not_fit_are_named(
    tmp_path: Path, damage: Callable[[Path], Any], expected: str
) -> None:
    """The error says which file is wrong, or belongs to another model."""
    path = write_many_langs(tmp_path)
    damage(tmp_path)
    with pytest.raises(ConfigurationError, match=f"(?s){expected}"):
        ElmoBilm.from_files(path, path)


def test_two_folders_are_refused(tmp_path: Path) -> None:
    """Options of one model and weights of another are not mixed."""
    first, second = (write_many_langs(tmp_path / name) for name in ("a", "b"))
    with pytest.raises(ConfigurationError, match="both files of an ELMoForManyLangs biLM in one"):
        ElmoBilm.from_files(first, second)


@pytest.mark.parametrize("is_zip", [False, True], ids=["PyTorch 0.4", "zip"])
def test_code_is_not_run(tmp_path: Path, is_zip: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """A pickle that names a function is refused, on every version of PyTorch."""

    class Evil:
        def __reduce__(self) -> Any:
            return print, ("run",)

    path = write_many_langs(tmp_path)
    torch.save({LAYER: Evil()}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ConfigurationError):
        list(ManyLangsWeights(path, path))
    assert "run" not in capsys.readouterr().out


def test_the_config_of_a_published_model_is_known(tmp_path: Path) -> None:
    """Published models name a config that their folder lacks."""
    path = write_many_langs(tmp_path, has_config=False)
    spelling = read_spelling(path, path)
    assert spelling.width == 51
    with pytest.raises(ConfigurationError, match=r"expected \(512, 2148\)"):
        ElmoBilm.from_files(path, path)


CONFIGS: Dict[str, Any] = {
    "lstm embedder": (
        {"token_embedder": {"name": "lstm"}},
        "Expected the token_embedder 'cnn'.*got 'lstm'.*another architecture",
    ),
    "lstm encoder": ({"encoder": {"name": "lstm"}}, "Expected the encoder 'elmo'.*got 'lstm'"),
    "no dim": ({"encoder": {"name": "elmo"}}, "'lstm.projection_dim' is missing.*"),
    "no words": ({"token_embedder": {"word_dim": 0}}, "word_embedding_dim must both be 0"),
    "no section": ({"encoder": 3}, "the sections encoder, token_embedder.*'encoder' is missing"),
}


@pytest.mark.parametrize("change, expected", list(CONFIGS.values()), ids=list(CONFIGS))
def test_other_architectures_are_refused(
    tmp_path: Path, change: Dict[str, Any], expected: str
) -> None:
    """The error names the part of the config that is not ELMo."""
    path = write_many_langs(tmp_path)
    config_path = tmp_path / "cnn_50_100_512_4096_sample.json"
    config = json.loads(config_path.read_text())
    for section, values in change.items():
        replaces = section == "encoder" or not isinstance(values, dict)
        config[section] = values if replaces else {**config[section], **values}
    config_path.write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match=f"(?s){expected}"):
        ElmoBilm.from_files(path, path)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"config_path": "other.json"}, r"the config 'other\.json', but .* has no such file"),
        ({}, "the name of a config as 'config_path'.*got None"),
        ([], "the name of a config as 'config_path'.*got None"),
    ],
    ids=["other", "none", "list"],
)
def test_a_config_that_is_not_there_is_named(tmp_path: Path, arguments: Any, expected: str) -> None:
    """Only the configs that ELMoForManyLangs ships may be missing."""
    path = write_many_langs(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(arguments))
    with pytest.raises(ConfigurationError, match=f"(?s){expected}"):
        ElmoBilm.from_files(path, path)


def test_a_config_in_a_folder_below_is_found(tmp_path: Path) -> None:
    """The path in `config.json` may lead into the model's folder, but not out of it."""
    path = write_many_langs(tmp_path)
    (tmp_path / "configs").mkdir()
    for config_path in ("configs/own.json", "../../configs/own.json"):
        (tmp_path / "config.json").write_text(json.dumps({"config_path": config_path}))
        (tmp_path / "cnn_50_100_512_4096_sample.json").replace(tmp_path / "configs/own.json")
        if config_path.startswith(".."):
            with pytest.raises(ConfigurationError, match=r"the config 'own\.json', but"):
                read_spelling(path, path)
        else:
            assert read_spelling(path, path).width == 13
        (tmp_path / "configs/own.json").replace(tmp_path / "cnn_50_100_512_4096_sample.json")
