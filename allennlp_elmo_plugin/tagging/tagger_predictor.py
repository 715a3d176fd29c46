"""
A predictor for taggers that needs no download: it takes words, or splits a sentence by rules.
"""

import json
import unicodedata
from typing import Any, Dict, List

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict
from allennlp.data import DatasetReader, Instance, Token
from allennlp.data.fields import TextField
from allennlp.models import Model
from allennlp.predictors import Predictor
from wcwidth import wcswidth

from allennlp_elmo_plugin.io.tokenization import load_rules

__all__ = ["ElmoTaggerPredictor"]

OUTPUT_FORMATS = ("json", "text")

# What the taggers of AllenNLP return for each token, those of padding included.
PER_TOKEN_OUTPUTS = ("tags", "logits", "class_probabilities", "mask")

TEXT_WIDTH = 80


@Predictor.register("elmo_tagger")
class ElmoTaggerPredictor(Predictor):
    """
    Predicts the tags of sentences, with any model that returns `tags` and any dataset reader
    whose `text_to_instance` takes the tokens of a sentence and puts them into a field `tokens`
    (`conllu_tagging`, `sequence_tagging`, `conll2003` and others).

    An input is `{"tokens": ["..."]}` or `{"sentence": "..."}`. A sentence is split by spaCy's
    rules for the language, which need neither a trained model nor a network. A sentence without
    words has no tags, and the model does not see it.

    Registered as a `Predictor` with name "elmo_tagger".

    # Parameters

    model : `Model`
        The tagger.
    dataset_reader : `DatasetReader`
        The reader that it was trained with.
    language : `str`, optional (default = `"en"`)
        spaCy's code of the language whose rules split a sentence (`"xx"` fits many).
    output_format : `str`, optional (default = `"json"`)
        What a sentence becomes in the output of `allennlp predict`: `"json"`, a line of JSON with
        `words` and `tags`, or `"text"`, the words with their tags beneath, for people to read.

    # Raises

    `ConfigurationError`
        If spaCy has no such language, or there is no such format.
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
                f"output_format: expected one of {', '.join(OUTPUT_FORMATS)}, "
                f'got "{output_format}".'
            )
        self._tokenizer = load_rules(language).tokenizer
        self._output_format = output_format

    def predict(self, sentence: str) -> JsonDict:
        """The tags of one sentence, given as text."""
        return self.predict_json({"sentence": sentence})

    def load_line(self, line: str) -> JsonDict:
        try:
            return json.loads(line)
        except json.JSONDecodeError as error:
            raise ConfigurationError(
                f'Expected a line of JSON, {{"sentence": "..."}} or {{"tokens": ["..."]}}; '
                f"got {line.rstrip()!r} ({error})."
            ) from error

    def dump_line(self, outputs: JsonDict) -> str:
        words, tags = outputs["words"], outputs["tags"]
        if self._output_format == "text":
            # It starts on a line of its own, as the command prints "prediction:" before it.
            return "\n" + _aligned(words, tags)
        return json.dumps({"words": words, "tags": tags}) + "\n"

    def predict_instance(self, instance: Instance) -> JsonDict:
        return self.predict_batch_instance([instance])[0]

    def predict_batch_instance(self, instances: List[Instance]) -> List[JsonDict]:
        words = [_words(instance) for instance in instances]
        results: List[JsonDict] = [{"words": [], "tags": []} for _ in instances]
        with_words = [index for index, its_words in enumerate(words) if its_words]
        if with_words:
            outputs = super().predict_batch_instance([instances[index] for index in with_words])
            for index, output in zip(with_words, outputs):
                if "tags" not in output:
                    raise ConfigurationError(
                        f'elmo_tagger: expected a model that returns "tags", '
                        f"got {type(self._model).__name__}, which returns {sorted(output)}."
                    )
                results[index] = _without_padding({**output, "words": words[index]})
        return results

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        return self._dataset_reader.text_to_instance(self._tokens(json_dict))

    def _tokens(self, inputs: Any) -> List[Token]:
        if not isinstance(inputs, dict) or ("sentence" in inputs) == ("tokens" in inputs):
            raise ConfigurationError(
                'Expected an object with exactly one of the keys "sentence" and "tokens", '
                f"got {inputs!r}."
            )
        if "tokens" in inputs:
            words = inputs["tokens"]
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise ConfigurationError(f'"tokens": expected a list of strings, got {words!r}.')
            return [Token(word) for word in words]
        sentence = inputs["sentence"]
        if not isinstance(sentence, str):
            raise ConfigurationError(f'"sentence": expected a string, got {sentence!r}.')
        return [
            Token(token.text, token.idx, token.idx + len(token))
            for token in self._tokenizer(sentence)
            if not token.is_space
        ]


def _words(instance: Instance) -> List[str]:
    tokens = instance.fields.get("tokens")
    if not isinstance(tokens, TextField):
        raise ConfigurationError(
            "elmo_tagger: expected a dataset reader that puts the words into a text field "
            f'"tokens", got the fields {sorted(instance.fields)}.'
        )
    return [str(token) for token in tokens]


def _without_padding(output: JsonDict) -> Dict[str, Any]:
    """The output for one sentence, cut to its own length rather than that of its batch."""
    length = len(output["words"])
    return {
        name: value[:length] if name in PER_TOKEN_OUTPUTS else value
        for name, value in output.items()
    }


def _aligned(words: List[str], tags: List[str]) -> str:
    """Pairs of lines, a tag beneath each word, folded where they would grow too wide."""
    if not words:
        return "(no words)\n"
    lines = [["", ""]]
    for word, tag in zip((_printable(word) for word in words), tags):
        width = max(wcswidth(word), wcswidth(tag))
        if wcswidth(lines[-1][0]) + width > TEXT_WIDTH and lines[-1][0]:
            lines.append(["", ""])
        for row, text in enumerate((word, tag)):
            lines[-1][row] += text + " " * (width - wcswidth(text) + 1)
    return "".join(line.rstrip() + "\n" for pair in lines for line in pair)


def _printable(word: str) -> str:
    """The word without line breaks and other controls, and without lone surrogates."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cs") else letter
        for letter in word
    )
