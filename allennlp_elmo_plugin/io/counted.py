"""
Numbers of things in messages.
"""

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """
    Returns a number and what it counts, such as "1 sentence" or "1,000 sentences".

    # Parameters

    number : `int`
        The number.
    noun : `str`
        The singular of a noun whose plural ends in "s".

    # Returns

    `str`
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
