"""Keys that can name datasets of one HDF5 file."""

from typing import List

import h5py
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from allennlp_elmo_plugin.extraction.inputs import keys as keys_module
from allennlp_elmo_plugin.extraction.inputs.keys import KeyIndex, find_clashes, require_key


def clashes(keys: List[str]) -> List[str]:
    """Returns the clashes of keys, which stand in the lines from 1 up."""
    index = KeyIndex()
    for key in keys:
        index.add(key)
    lines = range(1, len(keys) + 1)
    return list(find_clashes(zip(keys, lines), index.suspects()))


def hdf5_holds(keys: List[str]) -> bool:
    """Returns `True` if HDF5 writes a dataset for each key and finds them again."""
    with h5py.File("keys", "w", driver="core", backing_store=False) as file:
        try:
            for number, key in enumerate(keys):
                file.create_dataset(key, data=number)
        except (ValueError, TypeError):
            return False
        return all(file[key][()] == number for number, key in enumerate(keys))


def is_fine(key: str) -> bool:
    """Returns `True` if a key has no fault."""
    try:
        require_key(key, "'a', line 1")
    except ConfigurationError:
        return False
    return True


PATHS = st.text("ab/.", min_size=1, max_size=5)


@given(st.lists(PATHS.filter(is_fine), max_size=8))
def test_keys_without_clashes_are_those_that_hdf5_holds(keys: List[str]) -> None:
    """A clash is found exactly where h5py refuses the datasets."""
    assert (clashes(keys) == []) == hdf5_holds(keys)


@given(PATHS)
def test_a_fine_key_is_held(key: str) -> None:
    """A key without a fault names a dataset, and a refused one is not the name it would get."""
    if is_fine(key):
        assert hdf5_holds([key])
    else:
        assert not hdf5_holds([key]) or "./" in key


@pytest.mark.parametrize(
    "key, problem",
    [
        ("", "'' is empty"),
        ("a\0b", r"'a\\x00b' has a NUL character"),
        (".", "'.' has '.' as the name"),
        ("a/./b", "'a/./b' has '.' as the name"),
        ("a/", "'a/' ends in '/'"),
        ("//", "'//' ends in '/'"),
        ("sentence_to_index", "is the name of the dataset 'sentence_to_index'"),
        ("x" * 100 + "/", "'x{60}...' ends in '/'"),
    ],
)
def test_a_key_that_hdf5_cannot_hold_is_named(key: str, problem: str) -> None:
    """The error names the place, the key and the reason."""
    with pytest.raises(ConfigurationError, match=f"'a.txt', line 7: expected a key .*{problem}"):
        require_key(key, "'a.txt', line 7")


@pytest.mark.parametrize("key", ["0", "..", "It rains .", "a/b", "/a", "a//b", " ", "x" * 70_000])
def test_unusual_keys_are_held(key: str) -> None:
    """A key may be long, have spaces and make groups."""
    require_key(key, "'a.txt', line 1")
    assert hdf5_holds([key])


def test_clashes_name_both_lines() -> None:
    """Equal keys, keys that HDF5 takes for equal, and groups in both orders."""
    assert clashes(["a", "b", "a"]) == ["'a' in line 1 and 'a' in line 3"]
    assert clashes(["a/b", "c", "a//b"]) == ["'a/b' in line 1 and 'a//b' in line 3"]
    assert clashes(["a", "a/b/c"]) == ["'a' in line 1 and 'a/b/c' in line 2"]
    assert clashes(["a/b/c", "x", "a/b"]) == ["'a/b/c' in line 1 and 'a/b' in line 3"]


def test_a_key_with_many_groups_takes_linear_time() -> None:
    """A long path with a hundred thousand groups is one of many keys."""
    path = "a/" * 100_000 + "a"
    assert len(clashes([path, "b", path])) == 1


@given(st.lists(PATHS.filter(is_fine), max_size=8))
def test_collisions_of_digests_are_no_clashes(keys: List[str]) -> None:
    """With digests that many keys share, the clashes are the same."""
    expected = clashes(keys)
    whole = keys_module._digests
    try:
        keys_module._digests = lambda key: (digest % 2 for digest in whole(key))
        assert clashes(keys) == expected
    finally:
        keys_module._digests = whole
