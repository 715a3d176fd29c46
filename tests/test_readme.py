"""The README is short; `test_docs.py` runs its examples and follows its links."""

from tests.support.paths import REPOSITORY

LONGEST = 150


def test_it_is_short() -> None:
    """A stranger reads it in a few minutes; the documentation has the rest."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
