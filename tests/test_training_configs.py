"""Experiments in training_configs/ train, and AllenNLP's commands run on one."""

import inspect
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.interpret.attackers import Hotflip, InputReduction
from allennlp.interpret.saliency_interpreters import (
    IntegratedGradient,
    SimpleGradient,
    SmoothGradient,
)
from allennlp.models import Archive, load_archive
from allennlp.predictors import Predictor

from allennlp_elmo_plugin import (
    ActivationCache,
    BidirectionalLm,
    BilmCorpusReader,
    BilmEncoder,
    BilmProgress,
    BilmVocabulary,
    ElmoBilm,
    ElmoCharactersIndexer,
    ElmoOptions,
    ElmoTokenEmbedder,
    InitialState,
    ScalarMix,
    WordCache,
)
from tests.support.language_model_experiment import OPTIONS, write_corpus
from tests.support.paths import REPOSITORY

CONFIGS = sorted((REPOSITORY / "training_configs").glob("*.jsonnet"))
LANGUAGE_MODELS = [path for path in CONFIGS if path.stem.startswith("bidirectional_lm")]
DATA = REPOSITORY / "training_configs" / "data"

# Parameters that the embedder or AllenNLP supplies, and no config.
SUPPLIED = {"num_representations", "serialization_dir", "vocab"}

UNIVERSAL_TAGS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"


@pytest.fixture(scope="module")
def bilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny biLM with the width and depth that the configs expect."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bilm")
    options = ElmoOptions(((1, 16), (3, 16)), projection_dim=128, cell_size=16, num_layers=2)
    ElmoBilm(options).to_folder(folder)
    return folder


def activations(folder: Path) -> Dict[str, str]:
    """Returns overrides that move the activation cache of the demo's experiment."""
    embedder = "model.text_field_embedder.token_embedders.elmo."
    return {embedder + "activation_cache.path": str(folder / "activations")}


def overrides(bilm: Path, **more: Any) -> str:
    """Returns overrides that name the biLM's files and train for one epoch."""
    embedder = "model.text_field_embedder.token_embedders.elmo."
    return json.dumps(
        {
            embedder + "options_file": str(bilm / "options.json"),
            embedder + "weight_file": str(bilm / "weights.hdf5"),
            "trainer.num_epochs": 1,
            **more,
        }
    )


def train(name: str, bilm: Path, folder: Path, **more: Any) -> Dict[str, Any]:
    """Trains one of the configs into the folder and returns its metrics."""
    if name == "ner":
        import_module("allennlp_models.tagging")
    if name == "pos_tagging":
        more.update(activations(folder))
    config = REPOSITORY / "training_configs" / (name + ".jsonnet")
    train_model(Params.from_file(str(config), overrides(bilm, **more)), str(folder), force=True)
    return json.loads((folder / "metrics.json").read_text())


@pytest.mark.parametrize("path", LANGUAGE_MODELS, ids=lambda path: path.stem)
def test_a_language_model_trains(path: Path, tmp_path: Path) -> None:
    """A smaller version of the experiment runs, and its archive can be evaluated."""
    write_corpus(tmp_path / "text.txt", 1, 50)
    words = ["</S>", "<S>", "<UNK>", "the", "rain", "sun", "falls", "shines", "on", "over"]
    (tmp_path / "words.txt").write_text("".join(f"{word}\n" for word in words))
    config = Params.from_file(str(path)).as_dict(quiet=True)
    text = str(tmp_path / "text.txt")
    config.update(train_data_path=text, validation_data_path=text)
    config["model"].update(options=OPTIONS, num_samples=5)
    for name in ("dataset_reader", "validation_dataset_reader"):
        config[name]["batch_size"] = 4
    for name in ("data_loader", "validation_data_loader"):
        config[name].update(batch_size=4, max_instances_in_memory=4)
    if "batches_per_epoch" in config["data_loader"]:
        config["data_loader"]["batches_per_epoch"] = 3
    if "file" in config["vocabulary"]:
        config["vocabulary"]["file"] = str(tmp_path / "words.txt")
    config.pop("distributed", None)
    config["trainer"].update(num_epochs=2, cuda_device=-1)
    train_model(Params(config), str(tmp_path / "run"))
    measured = evaluate_from_archive(tmp_path / "run" / "model.tar.gz", text)
    assert 1 < measured["perplexity"] < 100


@pytest.fixture(
    scope="module", params=[path.stem for path in CONFIGS if path not in LANGUAGE_MODELS]
)
def experiment(
    request: Any, bilm: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tuple[str, Path]]:
    """Name of an experiment that predicts labels, and the folder into which it was trained."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        train(request.param, bilm, folder)
        yield request.param, folder


def predictor_of(name: str, archive: Archive) -> Predictor:
    """Returns the predictor that the documentation names for an experiment."""
    return Predictor.from_archive(
        archive, "text_classifier" if name == "text_classification" else "elmo_tagger"
    )


def test_it_trains(experiment: Tuple[str, Path]) -> None:
    """The experiment runs on the project's data, and its archive loads and predicts."""
    name, folder = experiment
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 0 < metrics["training_loss"] < float("inf")
    output = predictor_of(name, load_archive(folder)).predict_json({"sentence": "Hi."})
    if name == "text_classification":
        assert output["label"] in ("positive", "negative")
    else:
        assert len(output["tags"]) == 2


def test_its_predictions_can_be_interpreted(experiment: Tuple[str, Path]) -> None:
    """Every tool of AllenNLP runs on the archive, which predicts the same afterwards."""
    name, folder = experiment
    # A reduced precision gives no gradients.
    key = "model.text_field_embedder.token_embedders.elmo.encoder.precision"
    predictor = predictor_of(name, load_archive(folder, overrides={key: "float32"}))
    inputs = {"sentence": "The old room was warm."}
    requires_grad = [parameter.requires_grad for parameter in predictor._model.parameters()]
    before = predictor.predict_json(inputs)
    for saliency in (SimpleGradient, IntegratedGradient, SmoothGradient):
        scores = saliency(predictor).saliency_interpret_from_json(inputs)["instance_1"]
        assert sum(scores["grad_input_1"]) == pytest.approx(1.0)
        assert len(scores["grad_input_1"]) == 6
    for attack in (InputReduction, Hotflip):
        attacked = attack(predictor).attack_from_json(inputs)
        assert attacked["original"] == ["The", "old", "room", "was", "warm", "."]
        assert 1 <= len(attacked["final"][0]) <= 6
    assert predictor.predict_json(inputs) == before
    after = [parameter.requires_grad for parameter in predictor._model.parameters()]
    assert after == requires_grad


def test_a_reduced_precision_gives_no_gradients(bilm: Path, tmp_path: Path) -> None:
    """The error says what to do, and the predictor goes on predicting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        train("text_classification", bilm, tmp_path, **{"dataset_reader.max_instances": 20})
    predictor = predictor_of("text_classification", load_archive(tmp_path))
    inputs = {"sentence": "The old room was warm."}
    before = predictor.predict_json(inputs)
    with pytest.raises(ConfigurationError, match="'bfloat16' gives no gradients.*'float32'"):
        SimpleGradient(predictor).saliency_interpret_from_json(inputs)
    assert predictor.predict_json(inputs) == before
    assert not any(module._forward_hooks for module in predictor._model.modules())


def test_fine_tuning_changes_the_bilm(bilm: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Fine-tuning changes every weight of the biLM."""
    monkeypatch.chdir(REPOSITORY)
    train("fine_tuning", bilm, tmp_path, **{"dataset_reader.max_instances": 20})
    before = ElmoBilm.from_files(str(bilm), str(bilm)).state_dict()
    embedder: Any = load_archive(tmp_path).model.get_submodule(
        "text_field_embedder.token_embedder_elmo"
    )
    after = embedder.encoder.bilm.state_dict()
    unchanged = [name for name in before if torch.equal(before[name], after[name])]
    assert unchanged == []


def test_fine_tuning_trains_the_bilm_at_a_lower_rate(bilm: Path, monkeypatch: Any) -> None:
    """The regular expressions of the parameter groups find the biLM and the scalar mix."""
    monkeypatch.chdir(REPOSITORY)
    config = Params.from_file(
        str(REPOSITORY / "training_configs" / "fine_tuning.jsonnet"), overrides(bilm)
    )
    groups = config["trainer"]["optimizer"]["parameter_groups"]
    names = [name for name, _ in ElmoTokenEmbedder(str(bilm), str(bilm)).named_parameters()]
    found = [
        [name for name in names if any(re.search(regex, name) for regex in regexes)]
        for regexes, _ in groups
    ]
    assert sorted(found[0] + found[1]) == sorted(names)
    assert len(found[1]) == 4
    assert groups[0][1]["lr"] < config["trainer"]["optimizer"]["lr"]


def parameters(function: Any) -> Set[str]:
    """Returns the names of a function's parameters."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(function).parameters.values()
    return {each.name for each in found if each.kind not in variable} - SUPPLIED


def options_to_show() -> List[str]:
    """Returns every option of the embedder, the indexer, the language model and components."""
    names = parameters(ElmoTokenEmbedder) | parameters(ElmoCharactersIndexer)
    names |= parameters(BilmEncoder.from_files)
    names |= parameters(BidirectionalLm.from_files) | parameters(BilmCorpusReader)
    names |= parameters(BilmVocabulary.from_vocabulary_file) | parameters(BilmProgress)
    for component in (ActivationCache, InitialState, ScalarMix, WordCache):
        for registered in component.list_available():
            names |= parameters(component.by_name(registered))
    return sorted(names)


@pytest.mark.parametrize("option", options_to_show())
def test_an_option_is_shown(option: str) -> None:
    """Every option stands in an experiment or in one of its comments."""
    shown = "\n".join(path.read_text(encoding="utf-8") for path in CONFIGS)
    assert re.search(rf"\b{option}:", shown), f"no experiment shows the option '{option}'"


@pytest.mark.parametrize("component", [ActivationCache, InitialState, ScalarMix, WordCache])
def test_a_registered_component_is_shown(component: Any) -> None:
    """Every registered component stands in an experiment or in one of its comments."""
    shown = "\n".join(path.read_text(encoding="utf-8") for path in CONFIGS)
    missing = [name for name in component.list_available() if f"type: '{name}'" not in shown]
    assert missing == []


@pytest.mark.parametrize(
    "training, held_out, reader",
    [
        ("pos_train.conllu", "pos_dev.conllu", {"type": "conllu_tagging"}),
        ("ner_train.txt", "ner_dev.txt", {"type": "conll2003"}),
        (
            "reviews_train.jsonl",
            "reviews_dev.jsonl",
            {"type": "text_classification_json", "tokenizer": {"type": "letters_digits"}},
        ),
    ],
)
def test_held_out_sentences_are_new(training: str, held_out: str, reader: Dict[str, Any]) -> None:
    """No sentence occurs in both files, or twice in one."""
    seen: Set[str] = set()
    dataset_reader = DatasetReader.from_params(Params(reader))
    for path in (training, held_out):
        instances: Any = dataset_reader.read(str(DATA / path))
        for instance in instances:
            sentence = " ".join(token.text for token in instance["tokens"])
            assert sentence not in seen
            seen.add(sentence)


def test_the_tags_of_the_demo_are_those_of_universal_dependencies() -> None:
    """Every tag is one of the seventeen, and all of them but SYM and X occur."""
    reader = DatasetReader.from_params(Params({"type": "conllu_tagging"}))
    used: Set[str] = set()
    for path in ("pos_train.conllu", "pos_dev.conllu"):
        instances: Any = reader.read(str(DATA / path))
        for instance in instances:
            used.update(instance["tags"].labels)
    assert set(UNIVERSAL_TAGS.split()) - used == {"SYM", "X"}
    assert used <= set(UNIVERSAL_TAGS.split())


def allennlp(*arguments: str) -> str:
    """Runs a command of AllenNLP in the project's folder and returns its output."""
    done = subprocess.run(
        [sys.executable, "-m", "allennlp", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(bilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that `allennlp train` writes for the demo's experiment."""
    folder = tmp_path_factory.mktemp("trained") / "output"
    changes = overrides(bilm, **activations(folder.parent))
    allennlp("train", "training_configs/pos_tagging.jsonnet", "-s", str(folder), "-o", changes)
    return folder


def test_the_command_evaluate_gives_the_metrics_of_training(trained: Path, tmp_path: Path) -> None:
    """Evaluation of an archive gives the accuracy that training gave."""
    metrics_file = tmp_path / "metrics.json"
    allennlp(
        "evaluate",
        str(trained / "model.tar.gz"),
        "training_configs/data/pos_dev.conllu",
        "--output-file",
        str(metrics_file),
    )
    trained_metrics = json.loads((trained / "metrics.json").read_text())
    evaluated = json.loads(metrics_file.read_text())
    assert evaluated["accuracy"] == trained_metrics["best_validation_accuracy"]


def test_the_command_predict_tags_sentences_in_batches(trained: Path, tmp_path: Path) -> None:
    """Each sentence gets one line of words and tags."""
    output_file = tmp_path / "tags.jsonl"
    printed = allennlp(
        "predict",
        str(trained / "model.tar.gz"),
        "training_configs/data/sentences.jsonl",
        "--predictor",
        "elmo_tagger",
        "--batch-size",
        "2",
        "--output-file",
        str(output_file),
    )
    lines = [json.loads(line) for line in output_file.read_text().splitlines()]
    assert [len(line["tags"]) for line in lines] == [len(line["words"]) for line in lines]
    assert lines[-1]["words"][-4:] == ["Lisbon", "to", "Africa", "."]
    assert printed.count("prediction: ") == len(lines) == 5


def test_the_command_predict_tags_the_sentences_of_a_reader(trained: Path, tmp_path: Path) -> None:
    """A text format and --use-dataset-reader give two lines per sentence of a treebank."""
    output_file = tmp_path / "tags.txt"
    allennlp(
        "predict",
        str(trained / "model.tar.gz"),
        "training_configs/data/pos_dev.conllu",
        "--use-dataset-reader",
        "--predictor",
        "elmo_tagger",
        "--predictor-args",
        '{"output_format": "text"}',
        "--batch-size",
        "16",
        "--silent",
        "--output-file",
        str(output_file),
    )
    sentences = output_file.read_text(encoding="utf-8").strip("\n").split("\n\n")
    assert len(sentences) == 60
    assert all(len(words_and_tags.splitlines()) == 2 for words_and_tags in sentences)
