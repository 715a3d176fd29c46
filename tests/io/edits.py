"""Changes of a file, and what they make of plain bytes."""

import random
from typing import Any, Optional, Tuple

import hypothesis.strategies as st

__all__ = ["Edit", "apply", "edits", "perform", "random_edit"]

# A write at an offset, or a truncation to a size.
Edit = Tuple[int, Optional[bytes]]

offsets = st.one_of(st.integers(0, 5000), st.sampled_from([0, 1023, 1024, 1025, 2048, 4096]))
contents = st.builds(
    lambda byte, size: bytes([byte]) * size, st.integers(1, 255), st.integers(0, 3000)
)
edits = st.tuples(offsets, st.one_of(st.none(), contents))


def random_edit(generator: random.Random) -> Edit:
    """Draws a change, of which a few cut the file off."""
    offset = generator.randrange(6000)
    if generator.random() < 0.15:
        return offset, None
    return offset, bytes([generator.randrange(1, 256)]) * generator.randrange(2000)


def apply(content: bytes, edit: Edit) -> bytes:
    """Returns the bytes of a file after a change."""
    offset, written = edit
    if written is None:
        return content[:offset] + bytes(max(offset - len(content), 0))
    if not written:
        return content
    content += bytes(max(offset - len(content), 0))
    return content[:offset] + written + content[offset + len(written) :]


def perform(file: Any, edit: Edit) -> None:
    """Changes a file."""
    offset, written = edit
    if written is None:
        file.truncate(offset)
    else:
        file.seek(offset)
        file.write(written)
