"""A reader of the scalars in TensorBoard's event files, with tensorboardX's protobuf classes."""

import struct
from collections import defaultdict
from pathlib import Path
from typing import Dict

from tensorboardX.proto.event_pb2 import Event

__all__ = ["read_scalars"]

LENGTH = struct.Struct("<QI")
NUM_CHECKSUM_BYTES = 4


def read_scalars(folder: Path) -> Dict[str, Dict[int, float]]:
    """Returns the values of each scalar in a folder of event files, by step."""
    scalars: Dict[str, Dict[int, float]] = defaultdict(dict)
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, start = path.read_bytes(), 0
        while start < len(content):
            size, _ = LENGTH.unpack_from(content, start)
            start += LENGTH.size
            event = Event.FromString(content[start : start + size])
            start += size + NUM_CHECKSUM_BYTES
            for value in event.summary.value:
                scalars[value.tag][event.step] = value.simple_value
    return dict(scalars)
