"""The predictor `elmo_tagger`."""

import json
import unicodedata
from typing import Any, Dict, List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Instance, Token, Vocabulary
from allennlp.data.dataset_readers import SequenceTaggingDatasetReader
from allennlp.data.fields import TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from allennlp.models import Archive, Model
from allennlp.predictors import Predictor

from allennlp_elmo_plugin.tagging.conllu_reader import ConlluTaggingReader
from allennlp_elmo_plugin.tagging.tagger_predictor import ElmoTaggerPredictor
from tests.support.paths import DATA
from tests.support.threads import in_threads

DEMO_SENTENCES = str(DATA / "pos_dev.conllu")
MODELS = ["simple_tagger", "crf_tagger"]
FLAG = "ignore_loss_on_o_tags"

SHORT: Dict[str, Any] = {"sentence": "She left."}
LONG: Dict[str, Any] = {"tokens": ["The", "old", "dog", "slept", "under", "the", "table", "."]}
EMPTY: List[Dict[str, Any]] = [{"sentence": ""}, {"sentence": " \n "}, {"tokens": []}]


def tagger(model: str = "simple_tagger") -> Archive:
    """Returns an archive of a small random tagger with the reader `conllu_tagging`."""
    if model == "crf_tagger":
        pytest.importorskip("allennlp_models.tagging")
    torch.manual_seed(1)
    reader = ConlluTaggingReader()
    config = Params(
        {
            "dataset_reader": {"type": "conllu_tagging"},
            "model": {
                "type": model,
                "text_field_embedder": {
                    "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 8}}
                },
                "encoder": {"type": "lstm", "input_size": 8, "hidden_size": 6},
            },
        }
    )
    vocabulary = Vocabulary.from_instances(reader.read(DEMO_SENTENCES))
    model_config = config.duplicate()["model"]
    return Archive(
        model=Model.from_params(model_config, vocab=vocabulary),
        config=config,
        dataset_reader=reader,
        validation_dataset_reader=reader,
        meta=None,
    )


def predictor(model: str = "simple_tagger", **arguments: Any) -> Any:
    """Returns the predictor of such a tagger."""
    return Predictor.from_archive(tagger(model), "elmo_tagger", extra_args=arguments)


class Refusing(Model):
    """A model that fails if it is run."""

    def __init__(self) -> None:
        super().__init__(Vocabulary())
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, *inputs: Any, **named: Any) -> Dict[str, torch.Tensor]:
        """Fails."""
        raise AssertionError("the model was run")


class Untagging(Refusing):
    """A model that returns no tags."""

    def forward(self, *inputs: Any, **named: Any) -> Dict[str, torch.Tensor]:
        """Returns a score alone."""
        return {"score": torch.zeros(1)}


def test_it_is_constructed_from_an_archive() -> None:
    """`Predictor.from_archive` finds it by its name and passes its arguments."""
    assert isinstance(predictor(language="de", output_format="text"), ElmoTaggerPredictor)


@pytest.mark.parametrize("model", MODELS)
def test_tokens_are_tagged_one_by_one(model: str) -> None:
    """Each token gets a tag of the vocabulary."""
    archive = tagger(model)
    output = ElmoTaggerPredictor(archive.model, archive.dataset_reader).predict_json(LONG)
    assert output["words"] == LONG["tokens"]
    assert len(output["tags"]) == 8
    labels = archive.model.vocab.get_token_to_index_vocabulary("labels")
    assert set(output["tags"]) <= set(labels)


def test_a_sentence_is_split_by_rules() -> None:
    """Punctuation and contractions are split off, and white space is no token."""
    words = predictor().predict_json({"sentence": "  He didn't\tsay \n (why).\n"})["words"]
    assert words == ["He", "did", "n't", "say", "(", "why", ")", "."]


def test_the_rules_are_those_of_the_language() -> None:
    """French splits the article from the noun; English does not."""
    sentence = {"sentence": "L'eau"}
    assert predictor(language="fr").predict_json(sentence)["words"] == ["L'", "eau"]
    assert predictor(language="en").predict_json(sentence)["words"] == ["L'eau"]


def test_predict_takes_a_sentence() -> None:
    """`predict` equals `predict_json` with a sentence."""
    assert predictor().predict("She left.") == predictor().predict_json(SHORT)


@pytest.mark.parametrize("model", MODELS)
def test_all_outputs_of_the_model_are_returned(model: str) -> None:
    """The output contains the model's scores, one for each token."""
    output = predictor(model).predict_json(LONG)
    expected = {"simple_tagger": "class_probabilities", "crf_tagger": "mask"}[model]
    assert {"words", "tags", "logits", expected} <= set(output)
    assert len(output["logits"]) == len(output[expected]) == 8


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_equals_single_sentences(model: str) -> None:
    """The outputs of shorter sentences contain no padding."""
    one, batch = predictor(model), predictor(model)
    inputs = [SHORT, LONG, {"tokens": ["Hello"]}]
    for single, batched in zip(map(one.predict_json, inputs), batch.predict_batch_json(inputs)):
        assert sorted(single) == sorted(batched)
        assert single["words"] == batched["words"]
        assert single["tags"] == batched["tags"]
        torch.testing.assert_close(torch.tensor(single["logits"]), torch.tensor(batched["logits"]))


@pytest.mark.parametrize("inputs", EMPTY)
def test_a_sentence_without_words_does_not_reach_the_model(inputs: Dict[str, Any]) -> None:
    """Its output is made without running the model."""
    refusing = ElmoTaggerPredictor(Refusing(), ConlluTaggingReader())
    assert refusing.predict_json(inputs) == {"words": [], "tags": []}
    assert refusing.predict_batch_json([inputs, inputs]) == [{"words": [], "tags": []}] * 2


def test_the_outputs_of_a_batch_are_in_the_order_of_its_inputs() -> None:
    """Sentences without words keep their position among the others."""
    outputs = predictor().predict_batch_json([EMPTY[0], SHORT, EMPTY[2], LONG])
    assert [output["words"] for output in outputs] == [
        [],
        ["She", "left", "."],
        [],
        LONG["tokens"],
    ]
    assert [len(output["tags"]) for output in outputs] == [0, 3, 0, 8]


def test_instances_of_a_reader_are_tagged() -> None:
    """Instances with gold tags, as from `--use-dataset-reader`, are tagged as well."""
    instances: List[Any] = list(ConlluTaggingReader(max_instances=3).read(DEMO_SENTENCES))
    outputs = predictor().predict_batch_instance(instances)
    for instance, output in zip(instances, outputs):
        assert output["words"] == instance["metadata"]["words"]
        assert len(output["tags"]) == len(output["words"])
    assert predictor().predict_instance(instances[0])["tags"] == outputs[0]["tags"]


def test_other_readers_work() -> None:
    """A reader works if it makes a field `tokens`."""
    archive = tagger()
    output = ElmoTaggerPredictor(archive.model, SequenceTaggingDatasetReader()).predict_json(SHORT)
    assert output["words"] == ["She", "left", "."]


def test_a_line_of_json_has_words_and_tags_only() -> None:
    """The output of `allennlp predict` contains no scores."""
    line = predictor().dump_line({"words": ["Hi"], "tags": ["INTJ"], "logits": [[0.5]]})
    assert line.endswith("\n") and line.count("\n") == 1
    assert json.loads(line) == {"words": ["Hi"], "tags": ["INTJ"]}


def test_text_aligns_tags_beneath_words() -> None:
    """The words of a sentence and their tags form columns."""
    text = predictor(output_format="text").dump_line(
        {"words": ["I", "wondered", "."], "tags": ["PRON", "VERB", "PUNCT"]}
    )
    assert text == "\nI    wondered .\nPRON VERB     PUNCT\n"


def test_long_sentences_are_folded() -> None:
    """No line is wider than 80 columns, and no word is lost."""
    words = [f"word{index}" for index in range(60)]
    text = predictor(output_format="text").dump_line({"words": words, "tags": ["NOUN"] * 60})
    lines = text[1:].splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(lines[::2]).split() == words
    assert " ".join(lines[1::2]).split() == ["NOUN"] * 60


def test_a_word_wider_than_the_line_stands_alone() -> None:
    """A very long word is not cut."""
    words = ["a", "b" * 100, "c"]
    text = predictor(output_format="text").dump_line({"words": words, "tags": ["X"] * 3})
    assert text[1:].splitlines()[::2] == words


def test_wide_letters_take_two_columns() -> None:
    """East Asian and combining characters have the width that a terminal gives them."""
    words = ["猫", unicodedata.normalize("NFD", "é"), "."]
    text = predictor(output_format="text").dump_line({"words": words, "tags": ["X", "Y", "Z"]})
    assert text == f"\n猫 {words[1]} .\nX  Y Z\n"


def test_text_can_always_be_printed() -> None:
    """Line breaks, control characters and lone surrogates are replaced."""
    text = predictor(output_format="text").dump_line(
        {"words": ["a\nb", "\x1b[0m", "\ud83d"], "tags": ["X"] * 3}
    )
    assert text.encode("utf-8").decode("utf-8") == "\na\ufffdb \ufffd[0m \ufffd\nX   X    X\n"


@pytest.mark.parametrize(
    "output_format, expected",
    [("json", '{"words": [], "tags": []}\n'), ("text", "\n(no words)\n")],
)
def test_an_empty_sentence_is_written(output_format: str, expected: str) -> None:
    """An input without words has an output, too."""
    empty = predictor(output_format=output_format)
    assert empty.dump_line(empty.predict_json({"sentence": ""})) == expected


@pytest.mark.parametrize(
    "inputs, problem",
    [
        ({}, 'exactly one of the keys "sentence" and "tokens", got {}'),
        ({"text": "Hi"}, "exactly one of the keys \"sentence\" and \"tokens\", got {'text': 'Hi'}"),
        ({"sentence": "Hi", "tokens": ["Hi"]}, 'exactly one of the keys "sentence" and "tokens"'),
        (["Hi"], 'exactly one of the keys "sentence" and "tokens", got [\'Hi\']'),
        ({"sentence": ["Hi"]}, "Expected \"sentence\" to be a string, got ['Hi']"),
        ({"sentence": None}, 'Expected "sentence" to be a string, got None'),
        ({"tokens": "Hi"}, "Expected \"tokens\" to be a list of strings, got 'Hi'"),
        ({"tokens": ["Hi", 3]}, "Expected \"tokens\" to be a list of strings, got ['Hi', 3]"),
    ],
)
def test_a_wrong_input_is_shown(inputs: Any, problem: str) -> None:
    """The error shows the input and the valid form, alone and in a batch."""
    refusing = ElmoTaggerPredictor(Refusing(), ConlluTaggingReader())
    for predict in (refusing.predict_json, lambda one: refusing.predict_batch_json([SHORT, one])):
        with pytest.raises(ConfigurationError) as error:
            predict(inputs)
        assert problem in str(error.value)


def test_a_line_that_is_no_json_is_shown() -> None:
    """The error for raw text in the input file shows the valid forms of a line."""
    with pytest.raises(ConfigurationError, match=r'Expected a line of JSON.*got "?.Hello'):
        predictor().load_line("Hello there.\n")


def test_an_unknown_language_is_named() -> None:
    """An unknown language is an error when the predictor is constructed."""
    with pytest.raises(ConfigurationError, match="got .klingon."):
        predictor(language="klingon")


def test_an_unknown_format_is_named() -> None:
    """An unknown output format is an error that lists the valid ones."""
    with pytest.raises(ConfigurationError, match="one of json, text, got 'xml'"):
        predictor(output_format="xml")


def test_a_model_without_tags_is_named() -> None:
    """The error for a model without tags lists the outputs that it has."""
    with pytest.raises(ConfigurationError, match="got Untagging, which returns"):
        ElmoTaggerPredictor(Untagging(), ConlluTaggingReader()).predict_json(SHORT)


def test_a_reader_without_tokens_is_named() -> None:
    """The error for a reader without a field `tokens` lists the fields that it makes."""

    class OtherReader(DatasetReader):
        def text_to_instance(self, tokens: List[Token]) -> Instance:
            return Instance({"words": TextField(tokens, {"words": SingleIdTokenIndexer()})})

    with pytest.raises(ConfigurationError, match=r"'tokens', got.*fields \['words'\]"):
        ElmoTaggerPredictor(Refusing(), OtherReader()).predict_json(SHORT)


def labels_of(vocabulary_tags: List[str], predicted: List[str]) -> List[Dict[str, Any]]:
    """Returns the labels of each instance that interpretation gets for predicted tags."""
    model: Any = Refusing()
    model.vocab.add_tokens_to_namespace(vocabulary_tags, "labels")
    reader = SequenceTaggingDatasetReader()
    interpreted = ElmoTaggerPredictor(model, reader)
    words = [f"word{i}" for i in range(len(predicted))]
    instance = reader.text_to_instance([Token(word) for word in words])
    labeled: Any = interpreted.predictions_to_labeled_instances(instance, {"tags": predicted})
    for each in labeled:
        assert [str(token) for token in each["tokens"]] == words
        assert each["tags"].sequence_field is each["tokens"]
    assert "tags" not in instance
    return [
        {"tags": each["tags"].labels, "ignored": getattr(each.fields.get(FLAG), "flag_value", None)}
        for each in labeled
    ]


def test_tags_without_entities_are_one_prediction() -> None:
    """All tags of a part-of-speech tagger are labels of one instance."""
    labeled = labels_of(["NOUN", "VERB"], ["NOUN", "VERB", "NOUN"])
    assert labeled == [{"tags": ["NOUN", "VERB", "NOUN"], "ignored": None}]


@pytest.mark.parametrize(
    "predicted, entities",
    [
        ("U-A O B-B L-B", ["U-A O O O", "O O B-B L-B"]),
        ("B-A I-A L-A U-A", ["B-A I-A L-A O", "O O O U-A"]),
        ("B-A I-A B-A O", ["B-A I-A O O", "O O B-A O"]),
        ("I-A I-A I-B O", ["I-A I-A O O", "O O I-B O"]),
        ("S-A B-B E-B S-B", ["S-A O O O", "O B-B E-B O", "O O O S-B"]),
        ("I-A O I-A I-A", ["I-A O O O", "O O I-A I-A"]),
    ],
)
def test_each_entity_is_a_prediction(predicted: str, entities: List[str]) -> None:
    """In every coding scheme, an instance has one entity, and other tokens do not count."""
    labeled = labels_of(["O"], predicted.split())
    assert labeled == [{"tags": tags.split(), "ignored": True} for tags in entities]


def test_a_sentence_without_entities_is_one_prediction() -> None:
    """All tokens count, since there is no entity that could."""
    assert labels_of(["O", "U-A"], ["O", "O"]) == [{"tags": ["O", "O"], "ignored": False}]


def test_tags_of_padding_are_no_labels() -> None:
    """Tags beyond the tokens, which a padded batch may have, are left out."""
    model: Any = Refusing()
    reader = SequenceTaggingDatasetReader()
    instance = reader.text_to_instance([Token("yes")])
    interpreted = ElmoTaggerPredictor(model, reader)
    labeled: Any = interpreted.predictions_to_labeled_instances(instance, {"tags": ["INTJ", "X"]})
    assert labeled[0]["tags"].labels == ["INTJ"]


@pytest.mark.parametrize("method", ["predict_json", "predict_batch_json"])
def test_threads_predict_what_one_predicts(method: str) -> None:
    """Threads that share a predictor get the outputs of one thread."""
    shared = predictor()
    inputs = [SHORT, LONG, EMPTY[0], {"sentence": "The dog's owner isn't here, is she?"}]
    expected = [shared.predict_json(each) for each in inputs]

    def predict(_: int) -> List[Any]:
        if method == "predict_json":
            return [shared.predict_json(each) for each in inputs]
        return [shared.predict_batch_json([each])[0] for each in inputs]

    for found in in_threads(predict):
        assert [each["tags"] for each in found] == [each["tags"] for each in expected]
        assert [each["words"] for each in found] == [each["words"] for each in expected]
