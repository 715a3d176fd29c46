"""
The processes of a distributed training: what each of them has, and waiting for all.
"""

from typing import Any, List

import torch.distributed
from allennlp.common.util import is_distributed

__all__ = ["gather_from_processes", "rank_of_process", "wait_for_processes"]


def rank_of_process() -> int:
    """
    Returns the rank of this process over all machines, or 0 if it trains alone.

    # Returns

    `int`
        The rank.
    """
    return torch.distributed.get_rank() if is_distributed() else 0


def gather_from_processes(value: Any) -> List[Any]:
    """
    Exchanges a value among all processes, each of which must call this function.

    # Parameters

    value : `Any`
        Value of this process, which can be pickled. Its tensors are on the CPU.

    # Returns

    `List[Any]`
        The values of all processes in the order of their ranks, or only this one's if it trains
        alone.
    """
    if not is_distributed():
        return [value]
    values: List[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values


def wait_for_processes() -> None:
    """
    Waits until every process has called this function.
    """
    if is_distributed():
        torch.distributed.barrier()
