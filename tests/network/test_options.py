"""Options files, good and bad."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.network.spelling import Dictionary
from tests.support.elmo_files import elmo_options, write_elmo_files


def _without(content: Dict[str, Any], section: str, key: str) -> Dict[str, Any]:
    return {**content, section: {k: v for k, v in content[section].items() if k != key}}


def test_written_options_read_back() -> None:
    """Options survive the way to JSON and back."""
    options = ElmoOptions.from_dict(elmo_options(cell_clip=None, n_highway=0))
    assert ElmoOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


@pytest.mark.parametrize("clip", [None, 0, "missing"])
def test_a_clip_can_be_off(clip: Any) -> None:
    """Null, 0 and a missing key all mean that nothing is clipped."""
    assert ElmoOptions.from_dict(elmo_options(cell_clip=clip)).cell_clip is None


def test_missing_skip_connections_are_off() -> None:
    """An options file that does not mention skip connections has none, as in bilm-tf."""
    content = _without(elmo_options(), "lstm", "use_skip_connections")
    assert not ElmoOptions.from_dict(content).use_skip_connections


@pytest.mark.parametrize("n_characters", [261, 262])
def test_both_ways_of_counting_characters_are_read(n_characters: int) -> None:
    """A training run counts 261 characters, an export 262."""
    content = elmo_options()
    content["char_cnn"]["n_characters"] = n_characters
    assert ElmoOptions.from_dict(content).num_filters == 18


WITH_DICTIONARY = {
    **elmo_options(),
    "dictionary": {"n_characters": 6, "n_words": 2, "word_embedding": {"dim": 4}},
}
WITH_DICTIONARY["char_cnn"] = {**WITH_DICTIONARY["char_cnn"], "n_characters": 7}
DICTIONARY = Dictionary("<oov>\ncat", "<oov>\n<pad>\n<bos>\n<eos>\n<bow>\n<eow>")


def test_a_dictionary_is_a_section() -> None:
    """The options file has the sizes of the dictionary, and what it lacks is the weight file's."""
    options = ElmoOptions.from_dict(WITH_DICTIONARY)
    assert (options.num_characters, options.num_words, options.word_embedding_dim) == (6, 2, 4)
    assert ElmoOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    with pytest.raises(ConfigurationError, match="dictionary of 2 words.*in the weight file"):
        options.spelling  # noqa: B018


def test_a_dictionary_is_restored_from_fields() -> None:
    """The fields in an archive hold the dictionary itself, on the way through JSON."""
    options = replace(ElmoOptions.from_dict(WITH_DICTIONARY), dictionary=DICTIONARY)
    restored = ElmoOptions.from_fields(json.loads(json.dumps(asdict(options))))
    assert restored == options and restored.spelling.width == 51


def test_fields_of_older_archives_are_read() -> None:
    """Archives from before dictionaries lack the fields, and are those of a biLM without one."""
    options = ElmoOptions.from_dict(elmo_options())
    new = ("num_characters", "num_words", "word_embedding_dim", "dictionary")
    content = {name: value for name, value in asdict(options).items() if name not in new}
    assert ElmoOptions.from_fields(content) == options


def test_a_dictionary_leaves_the_repr_of_others_alone() -> None:
    """Digests in activation caches read the repr, so it has no field for a biLM without one."""
    assert repr(ElmoOptions.from_dict(elmo_options())).endswith("word_projection=True)")


@pytest.mark.parametrize(
    "section, expected",
    [
        ({"n_words": 2}, "'dictionary.n_characters' is missing"),
        (3, "'dictionary.n_words' is missing"),
        ({"n_characters": 6, "n_words": 2, "word_embedding": {"dim": 0}}, "both be 0 or both be"),
        ({"n_characters": 6, "n_words": 0, "word_embedding": {"dim": 0}}, "must be 261 without a"),
        ({"n_characters": 7, "n_words": -1, "word_embedding": {"dim": 4}}, "num_words must be at"),
        ({"n_characters": 9, "n_words": 2, "word_embedding": {"dim": 4}}, "must be 9 or 10, got 7"),
    ],
)
def test_a_section_without_sense_is_refused(section: Any, expected: str) -> None:
    """Each fault of the section is named."""
    with pytest.raises(ConfigurationError, match=expected):
        ElmoOptions.from_dict({**WITH_DICTIONARY, "dictionary": section})


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"dictionary": {"words": "a"}}, r"the fields \['characters', 'words'\] of a biLM's dic"),
        ({"dictionary": [3]}, "of a biLM's dictionary, got"),
        ({"dictionary": {"words": 3, "characters": "a"}}, "words of a dictionary as a text"),
        ({"num_words": 3}, "num_words is 3, but the dictionary has 2 entries"),
        ({"state_projection": False}, "must have state_projection and word_projection"),
    ],
)
def test_a_dictionary_that_does_not_fit_is_refused(fields: Dict[str, Any], expected: str) -> None:
    """A dictionary of another form or size is an error."""
    options = replace(ElmoOptions.from_dict(WITH_DICTIONARY), dictionary=DICTIONARY)
    with pytest.raises(ConfigurationError, match=expected):
        ElmoOptions.from_fields({**asdict(options), **fields})


def test_every_fault_is_named_with_its_file(tmp_path: Path) -> None:
    """One error names the file, the missing keys and the values of the wrong kind."""
    content = _without(elmo_options(n_layers=2), "lstm", "dim")
    content["lstm"]["n_layers"] = "two"
    content["char_cnn"]["filters"] = [[1, 2, 3]]
    content["char_cnn"]["n_characters"] = 60
    path = tmp_path / "options.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError) as error:
        ElmoOptions.from_file(path)
    message = str(error.value)
    assert str(path) in message
    for part in (
        "'lstm.dim' is missing",
        "'lstm.n_layers' must be of type int, got 'two'",
        "'char_cnn.filters' must hold [width, number] pairs, got [1, 2, 3]",
        "'char_cnn.n_characters' must be 261 or 262, got 60",
    ):
        assert part in message


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"n_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"n_highway": -1}, "num_highways must be at least 0, got -1"),
        ({"activation": "gelu"}, "activation must be one of"),
        ({"max_characters": 2}, "max_characters_per_token must be at least 3, got 2"),
        ({"filters": []}, "filters must name at least one"),
        ({"filters": [(51, 4)]}, "widths from 1 to 50"),
        ({"proj_clip": -3.0}, "proj_clip must be positive or None, got -3.0"),
    ],
)
def test_values_that_make_no_network_are_refused(changes: Dict[str, Any], expected: str) -> None:
    """Each impossible value is named with the values that are possible."""
    with pytest.raises(ConfigurationError, match="The options of a biLM do not fit") as error:
        ElmoOptions.from_dict(elmo_options(**changes))
    assert expected in str(error.value)


@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n", b'{"lstm": {"dim"', b"\xff\xfe"])
def test_a_file_that_is_not_json_is_named(tmp_path: Path, content: bytes) -> None:
    """A weight file, a cut-off file and noise all give an error with the file's name."""
    path = tmp_path / "options.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not JSON") as error:
        ElmoOptions.from_file(path)
    assert str(path) in str(error.value)


def test_json_of_another_kind_is_refused(tmp_path: Path) -> None:
    """The options of some other model are refused with the keys that are missing."""
    path = tmp_path / "options.json"
    path.write_text('["hidden_size", 768]')
    with pytest.raises(ConfigurationError, match=r"'char_cnn\.filters' is missing"):
        ElmoOptions.from_file(path)


def test_lstms_without_projection_need_equal_sizes() -> None:
    """Without a projection, the output of an LSTM is as wide as its cell."""
    with pytest.raises(ConfigurationError, match="got 4 and 3"):
        ElmoOptions(((1, 2),), projection_dim=3, cell_size=4, num_layers=1, state_projection=False)


def _read(tmp_path: Path, content: bytes) -> ElmoOptions:
    path = tmp_path / "options.json"
    path.write_bytes(content)
    return ElmoOptions.from_file(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """Some editors begin a file in UTF-8 with a mark."""
    content = json.dumps(elmo_options()).encode("utf-8-sig")
    assert _read(tmp_path, content) == ElmoOptions.from_dict(elmo_options())


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"cell_size": 10**9}, "cell_size must be at most 1048576"),
        ({"projection_dim": 10**5000}, "projection_dim must be at most 1048576, got an integer of"),
        ({"n_layers": 10**9}, "num_layers must be at most 1000"),
        ({"n_highway": 10**9}, "num_highways must be at most 1000"),
        ({"char_dim": 10**9}, "char_embedding_dim must be at most 1048576"),
        ({"max_characters": 10**9}, "max_characters_per_token must be at most 10000"),
        ({"filters": [(1, 10**9)]}, "filters must be at most 1048576 together"),
        ({"filters": [(1, 1)] * 2000}, "at most 1000, got 2000"),
        ({"cell_size": 10**6, "projection_dim": 10**6}, "at most 2147483648 parameters"),
        ({"cell_clip": float("nan")}, "cell_clip must be from 1.18e-38 to 1.7e+38 or None"),
        ({"proj_clip": float("inf")}, "proj_clip must be from 1.18e-38 to 1.7e+38 or None"),
        ({"proj_clip": 10**400}, "proj_clip must be from 1.18e-38 to 1.7e+38 or None"),
        ({"cell_clip": 1e-40}, "cell_clip must be from 1.18e-38 to 1.7e+38 or None"),
    ],
)
def test_sizes_beyond_all_bilms_are_refused(changes: Dict[str, Any], expected: str) -> None:
    """Each size has an upper bound, and clips are finite in float32."""
    with pytest.raises(ConfigurationError) as error:
        ElmoOptions.from_dict(elmo_options(**changes))
    assert expected in str(error.value) and len(str(error.value)) < 400


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"lstm": ' * 50_000, "nested too deeply"),
        (b'{"lstm": {"dim": ' + b"9" * 5000 + b"}}", "an integer of 5000 digits"),
        (b" " * (2 << 20), "more than 1048576 bytes"),
        (b'{"lstm": {}, "lstm": {}}', "gives the key 'lstm' more than once"),
        (json.dumps({"dim": "\N{LATIN SMALL LETTER E WITH ACUTE}"}).encode("utf-16"), "utf-8"),
        (b'"\xe9"', "utf-8"),
    ],
)
def test_a_crafted_file_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    """JSON that Python cannot read, or only in unbounded time, gives an error with the file."""
    with pytest.raises(ConfigurationError, match="is not JSON") as error:
        _read(tmp_path, content)
    assert expected in str(error.value).replace("utf8", "utf-8")
    assert str(tmp_path / "options.json") in str(error.value)


def test_a_long_value_is_cut_in_the_error() -> None:
    """A wrong value is shown in bounded length."""
    content = elmo_options()
    content["lstm"]["dim"] = [["x" * 10_000] * 1000] * 1000
    with pytest.raises(ConfigurationError, match=r"'lstm\.dim' must be of type int") as error:
        ElmoOptions.from_dict(content)
    assert len(str(error.value)) < 1000


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A folder and a named pipe are refused at once."""
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe", "a named pipe")):
        with pytest.raises(ConfigurationError, match=f"is {kind}"):
            ElmoOptions.from_file(path)


FIELDS = asdict(ElmoOptions.from_dict(elmo_options()))


def test_fields_are_restored() -> None:
    """Options survive the way through their fields and JSON."""
    options = ElmoOptions.from_fields(json.loads(json.dumps(FIELDS)))
    assert asdict(options) == FIELDS


@pytest.mark.parametrize(
    "fields, expected",
    [
        (None, "Expected the fields"),
        ({}, "Expected the fields"),
        ({**FIELDS, "extra": 1}, "Expected the fields"),
        ({**FIELDS, "cell_size": "12"}, "cell_size must be of type int, got '12'"),
        ({**FIELDS, "cell_size": 12.0}, "cell_size must be of type int, got 12.0"),
        ({**FIELDS, "num_layers": True}, "num_layers must be of type int, got True"),
        ({**FIELDS, "cell_clip": "3"}, "cell_clip must be of type float, got '3'"),
        ({**FIELDS, "activation": None}, "activation must be of type str, got None"),
        ({**FIELDS, "word_projection": 1}, "word_projection must be of type bool, got 1"),
        ({**FIELDS, "filters": 3}, "filters must hold (width, number) pairs, got 3"),
        ({**FIELDS, "filters": [[1, 2, 3]]}, "pairs, got (1, 2, 3)"),
        ({**FIELDS, "filters": [["1", 2]]}, "pairs, got ('1', 2)"),
    ],
)
def test_wrong_fields_are_refused(fields: Any, expected: str) -> None:
    """Fields of other names and types, as a damaged archive has them, are named."""
    with pytest.raises(ConfigurationError) as error:
        ElmoOptions.from_fields(fields)
    assert expected in str(error.value)


def test_large_options_beside_small_weights_take_no_memory(tmp_path: Path) -> None:
    """The weights are compared with the options before a network is allocated."""
    files = write_elmo_files(tmp_path)
    large = elmo_options(cell_size=20_000, projection_dim=2000)
    Path(files.options_file).write_text(json.dumps(large))
    with pytest.raises(ConfigurationError, match="mis-shaped"):
        ElmoBilm.from_files(*files)
