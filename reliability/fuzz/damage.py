"""
Random damage to bytes.
"""

from random import Random
from typing import Callable, List, Sequence

__all__ = ["damage", "overwrite"]

WHOLE_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1)
BYTES = (0, 1, 0x0A, 0x0D, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
LARGEST_BLOCK = 512


def damage(random: Random, content: bytes) -> bytes:
    """
    Damages bytes in one to four places.

    # Parameters

    random : `Random`
        Source of random choices.
    content : `bytes`
        Honest content.

    # Returns

    `bytes`
        Content with flipped bits, overwritten, moved, inserted or missing blocks, or a cut end.
    """
    return _apply(random, content, (*_IN_PLACE, *_RESIZING))


def overwrite(random: Random, content: bytes) -> bytes:
    """Damages bytes in one to four places, so that all others stay where they are."""
    return _apply(random, content, _IN_PLACE)


def _apply(
    random: Random, content: bytes, ways: Sequence[Callable[[Random, bytearray], None]]
) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if damaged:
            random.choice(ways)(random, damaged)
    return bytes(damaged)


def _block(random: Random, content: bytearray) -> slice:
    start = random.randrange(len(content))
    return slice(start, min(len(content), start + random.randint(1, LARGEST_BLOCK)))


def _flip_bit(random: Random, content: bytearray) -> None:
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _set_byte(random: Random, content: bytearray) -> None:
    content[random.randrange(len(content))] = random.choice(BYTES)


def _set_number(random: Random, content: bytearray) -> None:
    size = random.choice((2, 4, 8))
    if len(content) >= size:
        start = random.randrange(len(content) - size + 1)
        number = random.choice(WHOLE_NUMBERS) % 256**size
        content[start : start + size] = number.to_bytes(size, "little")


def _set_block(random: Random, content: bytearray) -> None:
    block = _block(random, content)
    content[block] = bytes(random.getrandbits(8) for _ in range(block.stop - block.start))


def _fill_block(random: Random, content: bytearray) -> None:
    block = _block(random, content)
    content[block] = bytes([random.choice(BYTES)]) * (block.stop - block.start)


def _swap_blocks(random: Random, content: bytearray) -> None:
    first, second = _block(random, content), _block(random, content)
    size = min(first.stop - first.start, second.stop - second.start)
    one = bytes(content[first.start : first.start + size])
    other = bytes(content[second.start : second.start + size])
    content[first.start : first.start + size] = other
    content[second.start : second.start + size] = one


def _truncate(random: Random, content: bytearray) -> None:
    del content[random.randrange(len(content)) :]


def _delete_block(random: Random, content: bytearray) -> None:
    del content[_block(random, content)]


def _insert_block(random: Random, content: bytearray) -> None:
    copied = content[_block(random, content)]
    position = random.randrange(len(content) + 1)
    content[position:position] = copied


_IN_PLACE: List[Callable[[Random, bytearray], None]] = [
    _flip_bit,
    _set_byte,
    _set_number,
    _set_block,
    _fill_block,
    _swap_blocks,
]
_RESIZING: List[Callable[[Random, bytearray], None]] = [_truncate, _delete_block, _insert_block]
