"""
The names of AllenNLP's ELMo classes, which mean the plugin's once it is loaded.
"""

import sys
from typing import Type

__all__ = ["rename_builtin"]


def rename_builtin(replacement: Type[object]) -> None:
    """
    Binds the name of a class in AllenNLP to a subclass of it.

    Code that imports the class from AllenNLP afterwards gets the subclass. For code that imported
    it before, instances of the subclass are still instances of it.

    # Parameters

    replacement : `Type[object]`
        A class whose first base is the class of AllenNLP.
    """
    builtin = replacement.__bases__[0]
    module = builtin.__module__
    # The class's own module, and the packages around it that export the class too.
    while module:
        exported = vars(sys.modules[module])
        if exported.get(builtin.__name__) is builtin:
            exported[builtin.__name__] = replacement
        module = module.rpartition(".")[0]
