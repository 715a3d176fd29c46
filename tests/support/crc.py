"""Cyclic redundancy checks of 32 bits by their definition."""

__all__ = ["CRC32", "CRC32C", "crc_by_bits"]

CRC32 = 0xEDB88320
"""Polynomial of zlib's checksum, its bits reversed."""
CRC32C = 0x82F63B78
"""Polynomial of Castagnoli's checksum, its bits reversed."""


def crc_by_bits(content: bytes, polynomial: int) -> int:
    """Returns the checksum of bytes, one bit after the other."""
    remainder = 0xFFFFFFFF
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (polynomial if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF
