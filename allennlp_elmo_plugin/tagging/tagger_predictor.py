"""
A predictor for taggers that needs no download. It takes tokens, or splits a sentence by rules.
"""

import json
import unicodedata
from typing import Any, Dict, List, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict
from allennlp.data import DatasetReader, Instance, Token
from allennlp.data.fields import FlagField, SequenceLabelField, TextField
from allennlp.models import Model
from allennlp.predictors import Predictor
from wcwidth import wcswidth

from allennlp_elmo_plugin.io.tokenization import load_rules

__all__ = ["ElmoTaggerPredictor"]

OUTPUT_FORMATS = ("json", "text")

# Outputs of AllenNLP's taggers with one entry for each token of the padded batch.
PER_TOKEN_OUTPUTS = ("tags", "logits", "class_probabilities", "mask")

MAX_TEXT_WIDTH = 80


@Predictor.register("elmo_tagger")
class ElmoTaggerPredictor(Predictor):
    """
    A predictor for any model that returns `tags`.

    The dataset reader's `text_to_instance` must accept the tokens of a sentence and put them into
    a field `tokens`, as `conllu_tagging`, `sequence_tagging`, `conll2003` and others do.

    An input is `{"tokens": ["..."]}` or `{"sentence": "..."}`. A sentence is split by spaCy's
    rules for the language, which need neither a trained model nor a download. The output for a
    sentence without tokens has no tags and is made without running the model.

    Registered as a `Predictor` with name "elmo_tagger".

    # Parameters

    model : `Model`
        Tagger.
    dataset_reader : `DatasetReader`
        Reader that the tagger was trained with.
    language : `str`, optional (default = `"en"`)
        spaCy's code of the language whose rules split a sentence. `"xx"` suits many languages.
    output_format : `str`, optional (default = `"json"`)
        Format of each sentence in the output of `allennlp predict`: `"json"` for a line of JSON
        with `words` and `tags`, or `"text"` for lines of words with their tags beneath.

    # Raises

    `ConfigurationError`
        If spaCy cannot tokenize the language, or if there is no such format.
    """

    def __init__(
        self,
        model: Model,
        dataset_reader: DatasetReader,
        language: str = "en",
        output_format: str = "json",
    ) -> None:
        super().__init__(model, dataset_reader)
        if output_format not in OUTPUT_FORMATS:
            raise ConfigurationError(
                f"Expected 'output_format' to be one of {', '.join(OUTPUT_FORMATS)}, got "
                f"'{output_format}'."
            )
        self._tokenizer = load_rules(language).tokenizer
        self._output_format = output_format

    def predict(self, sentence: str) -> JsonDict:
        """
        Predicts the tags of one sentence.

        # Parameters

        sentence : `str`
            Text of the sentence.

        # Returns

        `JsonDict`
            The outputs of the model, with `words` and `tags`.
        """
        return self.predict_json({"sentence": sentence})

    def load_line(self, line: str) -> JsonDict:
        """
        Parses a line of the input file of `allennlp predict`.

        # Parameters

        line : `str`
            JSON object with `sentence` or `tokens`.

        # Returns

        `JsonDict`
            The object.

        # Raises

        `ConfigurationError`
            If the line is not JSON.
        """
        try:
            return json.loads(line)
        except json.JSONDecodeError as error:
            raise ConfigurationError(
                f'Expected a line of JSON, {{"sentence": "..."}} or {{"tokens": ["..."]}}; '
                f"got {line.rstrip()!r} ({error})."
            ) from error

    def dump_line(self, outputs: JsonDict) -> str:
        """
        Formats the outputs for one sentence in the `output_format`.

        # Parameters

        outputs : `JsonDict`
            Outputs with `words` and `tags`.

        # Returns

        `str`
            Text for the output file of `allennlp predict`.
        """
        words, tags = outputs["words"], outputs["tags"]
        if self._output_format == "text":
            # `allennlp predict` prints "prediction:" first, so the text starts on a new line.
            return "\n" + _format_aligned(words, tags)
        return json.dumps({"words": words, "tags": tags}) + "\n"

    def predict_instance(self, instance: Instance) -> JsonDict:
        """
        Predicts the tags of one instance.

        # Parameters

        instance : `Instance`
            Instance with a text field `tokens`.

        # Returns

        `JsonDict`
            The outputs of the model, with `words` and `tags`.
        """
        return self.predict_batch_instance([instance])[0]

    def predict_batch_instance(self, instances: List[Instance]) -> List[JsonDict]:
        """
        Predicts the tags of several instances in one batch.

        # Parameters

        instances : `List[Instance]`
            Instances with a text field `tokens`. Those without tokens do not reach the model.

        # Returns

        `List[JsonDict]`
            The outputs of the model for each instance, with `words` and `tags` and without padding.
        """
        words = [_words(instance) for instance in instances]
        results: List[JsonDict] = [{"words": [], "tags": []} for _ in instances]
        with_words = [index for index, its_words in enumerate(words) if its_words]
        if with_words:
            outputs = super().predict_batch_instance([instances[index] for index in with_words])
            for index, output in zip(with_words, outputs):
                if "tags" not in output:
                    raise ConfigurationError(
                        "Expected 'elmo_tagger' to be used with a model that returns 'tags', got "
                        f"{type(self._model).__name__}, which returns {sorted(output)}."
                    )
                results[index] = _remove_padding({**output, "words": words[index]})
        return results

    def predictions_to_labeled_instances(
        self, instance: Instance, outputs: Dict[str, Any]
    ) -> List[Instance]:
        """
        Returns the predictions of a sentence as labels, for the tools of `allennlp.interpret`.

        If the model knows the tag `O`, each entity (`B-X`, `I-X` and so on) is a prediction of its
        own, in which all other tokens are `O` and do not count in the loss. A sentence without
        entities, or any sentence of a model without `O`, is one prediction.

        # Parameters

        instance : `Instance`
            Instance with a text field `tokens`.
        outputs : `Dict[str, Any]`
            Outputs of the model for the instance, with `tags`.

        # Returns

        `List[Instance]`
            Copies of the instance, at least one, with a field `tags`.
        """
        tags = outputs["tags"][: len(_words(instance))]
        namespace = getattr(self._model, "label_namespace", "labels")
        has_entities = "O" in self._model.vocab.get_token_to_index_vocabulary(namespace)
        entities = _entities(tags) if has_entities else []
        labeled = []
        for start, end in entities or [(0, len(tags))]:
            labels = ["O"] * start + tags[start:end] + ["O"] * (len(tags) - end)
            copy = instance.duplicate()
            tokens: Any = copy["tokens"]
            copy.add_field("tags", SequenceLabelField(labels, tokens, namespace), self._model.vocab)
            if has_entities:
                copy.add_field("ignore_loss_on_o_tags", FlagField(bool(entities)))
            labeled.append(copy)
        return labeled

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        return self._dataset_reader.text_to_instance(self._tokens(json_dict))

    def _tokens(self, inputs: Any) -> List[Token]:
        if not isinstance(inputs, dict) or ("sentence" in inputs) == ("tokens" in inputs):
            raise ConfigurationError(
                'Expected an object with exactly one of the keys "sentence" and "tokens", got '
                f"{inputs!r}."
            )
        if "tokens" in inputs:
            words = inputs["tokens"]
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise ConfigurationError(
                    f'Expected "tokens" to be a list of strings, got {words!r}.'
                )
            return [Token(word) for word in words]
        sentence = inputs["sentence"]
        if not isinstance(sentence, str):
            raise ConfigurationError(f'Expected "sentence" to be a string, got {sentence!r}.')
        return [
            Token(token.text, token.idx, token.idx + len(token))
            for token in self._tokenizer(sentence)
            if not token.is_space
        ]


def _words(instance: Instance) -> List[str]:
    tokens = instance.fields.get("tokens")
    if not isinstance(tokens, TextField):
        raise ConfigurationError(
            "Expected 'elmo_tagger' to be used with a dataset reader that puts the tokens into a "
            f"text field 'tokens', got one that makes the fields {sorted(instance.fields)}."
        )
    return [str(token) for token in tokens]


def _entities(tags: List[str]) -> List[Tuple[int, int]]:
    """Returns the first token of each entity, and the token after its last."""
    entities: List[Tuple[int, int]] = []
    previous_type = ""
    for position, tag in enumerate(tags):
        prefix, _, type_ = tag.partition("-")
        if tag == "O":
            type_ = ""
        elif prefix in ("B", "U", "S") or type_ != previous_type:
            entities.append((position, position + 1))
        else:
            entities[-1] = (entities[-1][0], position + 1)
        previous_type = type_
    return entities


def _remove_padding(output: JsonDict) -> Dict[str, Any]:
    """Cuts the outputs of a sentence from the length of the padded batch to its own."""
    length = len(output["words"])
    return {
        name: value[:length] if name in PER_TOKEN_OUTPUTS else value
        for name, value in output.items()
    }


def _format_aligned(words: List[str], tags: List[str]) -> str:
    """Formats pairs of lines with each tag beneath its word, folded at `MAX_TEXT_WIDTH`."""
    if not words:
        return "(no words)\n"
    lines = [["", ""]]
    for word, tag in zip((_printable(word) for word in words), tags):
        width = max(wcswidth(word), wcswidth(tag))
        if wcswidth(lines[-1][0]) + width > MAX_TEXT_WIDTH and lines[-1][0]:
            lines.append(["", ""])
        for row, text in enumerate((word, tag)):
            lines[-1][row] += text + " " * (width - wcswidth(text) + 1)
    return "".join(line.rstrip() + "\n" for pair in lines for line in pair)


def _printable(word: str) -> str:
    """Replaces line breaks, other control characters and lone surrogates."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in ("Cc", "Cs") else char
        for char in word
    )
