"""
The form in which TensorFlow and LevelDB store a CRC-32C: rotated, and with a number added.
"""

__all__ = ["unmask"]

MASK_DELTA = 0xA282EAD8
ALL_BITS = 0xFFFFFFFF


def unmask(stored: int) -> int:
    """
    Returns the CRC-32C that a stored number stands for.

    # Parameters

    stored : `int`
        The stored number, of 32 bits.
    """
    rotated = (stored - MASK_DELTA) & ALL_BITS
    return (rotated >> 17 | rotated << 15) & ALL_BITS
