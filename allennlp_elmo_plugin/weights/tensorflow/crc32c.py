"""
The checksum CRC-32C, vectorized in NumPy.

A CRC is linear over XOR. So the words of a block are folded: its first half moves past as many zero
bytes as the second half is long, and then both are one. Each fold is one vectorized step.
"""

from functools import lru_cache
from typing import Tuple

import numpy

__all__ = ["crc32c", "unmask"]

POLYNOMIAL = 0x82F63B78
"""Castagnoli's, bit-reversed."""

INVERTED = 0xFFFFFFFF
MASK_DELTA = 0xA282EAD8
BLOCK_SIZE = 1 << 20
"""In bytes. Larger blocks leave the processor's cache."""


def crc32c(content: numpy.ndarray, previous: int = 0) -> int:
    """
    Returns the CRC-32C of bytes.

    # Parameters

    content : `numpy.ndarray`
        Shape (bytes,), uint8.
    previous : `int`, optional (default = `0`)
        The CRC of the bytes before, if these continue them.
    """
    state = previous ^ INVERTED
    for start in range(0, len(content), BLOCK_SIZE):
        state = _advance(state, content[start : start + BLOCK_SIZE])
    return state ^ INVERTED


def unmask(stored: int) -> int:
    """
    Returns the CRC that TensorFlow and LevelDB store rotated and shifted.

    # Parameters

    stored : `int`
        The stored number, of 32 bits.
    """
    rotated = (stored - MASK_DELTA) & INVERTED
    return (rotated >> 17 | rotated << 15) & INVERTED


def _advance(state: int, block: numpy.ndarray) -> int:
    if len(block) < 4:
        for byte in block.tolist():
            state = int(_byte_table()[(state ^ byte) & 0xFF]) ^ state >> 8
        return state
    # Zeros at the start leave the state of a CRC at zero.
    words = numpy.zeros(1 << (len(block) - 1).bit_length() - 2, "<u4")
    message = words.view("uint8")[-len(block) :]
    message[:] = block
    message[:4] ^= numpy.frombuffer(state.to_bytes(4, "little"), "uint8")
    while len(words) > 1:
        half = len(words) // 2
        words = _skip_zeros(words[:half], 4 * half) ^ words[half:]
    return int(_skip_zeros(words, 4)[0])


def _skip_zeros(states: numpy.ndarray, num_bytes: int) -> numpy.ndarray:
    """Returns the states after a number of zero bytes, which is a power of two."""
    low, high = _tables(num_bytes)
    halves = states.view("<u2")
    result = low.take(halves[0::2])
    result ^= high.take(halves[1::2])
    return result


@lru_cache(maxsize=None)
def _tables(num_bytes: int) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Returns the states after the zero bytes, by the low and by the high half of a state."""
    images = _images(num_bytes)
    low, high = numpy.zeros((2, 1 << 16), "<u4")
    for bit in range(16):
        size = 1 << bit
        low[size : 2 * size] = low[:size] ^ images[bit]
        high[size : 2 * size] = high[:size] ^ images[16 + bit]
    return low, high


@lru_cache(maxsize=None)
def _images(num_bytes: int) -> numpy.ndarray:
    """Returns the states after the zero bytes, for the 32 states of one bit."""
    if num_bytes == 1:
        bits = numpy.uint32(1) << numpy.arange(32, dtype="uint32")
        return (_byte_table()[bits & 0xFF] ^ bits >> 8).astype("<u4")
    return _skip_zeros(_images(num_bytes // 2), num_bytes // 2)


@lru_cache(maxsize=None)
def _byte_table() -> numpy.ndarray:
    """Returns the states after one byte of a message, from state zero."""
    states = numpy.arange(256, dtype="uint32")
    for _ in range(8):
        states = states >> 1 ^ (states & 1) * numpy.uint32(POLYNOMIAL)
    return states
