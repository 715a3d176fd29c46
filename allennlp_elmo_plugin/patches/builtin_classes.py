"""
The names of AllenNLP's ELMo classes, which mean the plugin's once it is loaded.
"""

import sys
from typing import Any, Type

__all__ = ["redirect_from_params", "rename_builtin"]


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


def redirect_from_params(replacement: Type[Any]) -> None:
    """
    Lets configs build a subclass wherever a model's annotation names a class of AllenNLP.

    AllenNLP registers no name for such a class, but calls `from_params` of the annotation. The
    model may have been defined before the name was bound to the subclass. A second call changes
    nothing.

    # Parameters

    replacement : `Type[Any]`
        A class whose first base is the class of AllenNLP, which inherits its `from_params`.
    """
    builtin: Type[Any] = replacement.__bases__[0]
    if "from_params" in vars(builtin):
        return

    def from_params(cls: Type[Any], *args: Any, **extras: Any) -> Any:
        if cls is builtin:
            return replacement.from_params(*args, **extras)
        return super(builtin, cls).from_params(*args, **extras)

    builtin.from_params = classmethod(from_params)
