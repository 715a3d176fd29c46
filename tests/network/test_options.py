"""Options files, good and bad."""

import json
from pathlib import Path
from typing import Any, Dict

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoOptions
from tests.support.elmo_files import elmo_options


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
