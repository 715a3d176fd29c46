"""
The outcome of killing a command, and of letting it go on.
"""

from typing import Dict, List, NamedTuple, Optional

__all__ = ["Trial"]


class Trial(NamedTuple):
    """
    The outcome of a trial.

    # Parameters

    num_kills : `int`
        Number of kills, 0 if the command ended before.
    problems : `List[str]`
        Differences from the unbroken run, or the failure of a later one.
    num_leftovers : `int`
        Number of names at the end that should not be there.
    was_resumed_within_last_epoch : `bool`, optional (default = `False`)
        `True` if the training metrics of the last epoch cover only its rest.
    numbers : `Optional[Dict[str, int]]`, optional (default = `None`)
        Numbers for the summary, by what they count.
    """

    num_kills: int
    problems: List[str]
    num_leftovers: int
    was_resumed_within_last_epoch: bool = False
    numbers: Optional[Dict[str, int]] = None
