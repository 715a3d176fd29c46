"""
A property that is computed when it is first read.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

__all__ = ["lazy_property"]

if TYPE_CHECKING:
    lazy_property = cached_property
else:

    class lazy_property(cached_property):
        """
        A `functools.cached_property` without the lock that it has before Python 3.12.

        A process that is forked while another thread holds that lock would wait for it forever.
        Threads that read the property for the first time at once may each compute it, and all get
        the same object.
        """

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            if instance is None:
                return self
            # Later reads find the value in the instance and do not come here.
            return instance.__dict__.setdefault(self.attrname, self.func(instance))
