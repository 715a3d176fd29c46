"""
A Sphinx extension that writes the pages of the API reference into `docs/api`.

Each package gets a page. Signatures and docstrings are read from the sources; nothing is imported.
"""

import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

import griffe
from docstrings import summary, to_markdown
from sphinx.application import Sphinx

__all__ = ["setup"]

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "allennlp_elmo_plugin"

Names = Dict[str, str]

INTRODUCTION = f"""
# API reference

`import {PACKAGE}` registers every component with AllenNLP, and gives you these names. Each page of
the menu holds one folder of the package; [Architecture](../architecture.md) says what the folders
are for.
"""


def setup(app: Sphinx) -> Dict[str, Any]:
    """Registers the extension with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}


def write_pages(app: Sphinx) -> None:
    """Writes a page for each package, and one that lists the public names."""
    root = griffe.load(PACKAGE, search_paths=[str(REPOSITORY)], allow_inspection=False)
    names = _documented_names(root)
    folder = Path(app.srcdir, "api")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    packages = sorted(_packages(root), key=lambda package: package.path)[1:]
    for package in packages:
        page = "\n\n".join(_package(package, names))
        (folder / f"{_below(package)}.md").write_text(page + "\n", encoding="utf-8")
    (folder / "index.md").write_text(_index(root, packages), encoding="utf-8")


def _documented_names(root: griffe.Module) -> Names:
    """
    Maps every name that the sources may use to the one in the reference.

    That is the name in the package, where the package exports the thing, or else in its module.
    """
    names = {}
    packages = list(_packages(root))
    for package in packages:
        for module in (package, *_modules(package)):
            names.update((thing.path, thing.path) for thing in _exports(module))
    for package in packages:
        for alias in _aliases(package):
            path = alias.final_target.path
            if package is root:
                names[path] = alias.path
            if path in names:
                names[alias.path] = names[path]
    return names


def _aliases(package: griffe.Module) -> List[griffe.Alias]:
    exported = sorted(map(str, package.exports or []))
    return [package.members[name] for name in exported if package.members[name].is_alias]


def _packages(module: griffe.Module) -> Iterator[griffe.Module]:
    """Yields a package and all packages in it that hold modules."""
    yield module
    for member in module.members.values():
        if not member.is_alias and member.is_module and member.is_init_module:
            yield from _packages(member)


def _modules(package: griffe.Module) -> List[griffe.Module]:
    modules = [m for m in package.members.values() if not m.is_alias and m.is_module]
    return sorted((m for m in modules if not m.is_init_module), key=lambda module: module.name)


def _below(thing: griffe.Object) -> str:
    """A dotted name without that of the package."""
    return thing.path[len(PACKAGE) + 1 :]


def _index(root: griffe.Module, packages: List[griffe.Module]) -> str:
    rows = [f"| {{py:obj}}`~{a.path}` | {_summary(a)} |" for a in _aliases(root)]
    table = "\n".join(["| name | what it is |", "|---|---|", *rows])
    pages = "\n".join(_below(package) for package in packages)
    toctree = f"```{{toctree}}\n:hidden:\n:maxdepth: 1\n\n{pages}\n```"
    return "\n\n".join([INTRODUCTION.strip(), table, toctree]) + "\n"


def _summary(thing: griffe.Alias) -> str:
    return summary(thing.docstring.value) if thing.docstring else ""


def _package(package: griffe.Module, names: Names) -> Iterator[str]:
    yield f"# {_below(package)}"
    yield _doc(package)
    yield from _members(package, names)
    for module in _modules(package):
        yield f"## {module.name}"
        yield _doc(module)
        yield from _members(module, names)


def _doc(thing: griffe.Object) -> str:
    return to_markdown(thing.docstring.value) if thing.docstring else ""


def _members(module: griffe.Module, names: Names) -> Iterator[str]:
    """Yields what a module exports and describes, in the order of the source."""
    for member in _exports(module):
        if member.is_class:
            yield _class(member, names)
        elif member.is_function:
            yield _directive("function", member, names)
        elif member.is_attribute:
            yield _directive("attribute", member, names)


def _exports(module: griffe.Module) -> List[griffe.Object]:
    exports = module.exports
    things = [thing for thing in _described(module) if not thing.is_module]
    return [thing for thing in things if exports is None or thing.name in exports]


def _described(parent: griffe.Object) -> List[griffe.Object]:
    own = [member for member in parent.members.values() if not member.is_alias]
    described = [member for member in own if member.docstring and not member.name.startswith("_")]
    return sorted(described, key=lambda member: member.lineno or 0)


def _class(cls: griffe.Class, names: Names) -> str:
    members = [_doc(cls)]
    for member in _described(cls):
        if member.is_function:
            members.append(_directive("method", member, names))
        elif member.is_attribute:
            kind = "property" if "property" in member.labels else "attribute"
            members.append(_directive(kind, member, names))
    return _directive("class", cls, names, "\n\n".join(members))


def _directive(kind: str, thing: griffe.Object, names: Names, content: Optional[str] = None) -> str:
    """Returns a directive of Sphinx's Python domain."""
    content = _doc(thing) if content is None else content
    name, options = thing.name, []
    if isinstance(thing.parent, griffe.Module):
        options.append(f":module: {names[thing.path].rpartition('.')[0]}")
        if names[thing.path] != thing.path:
            options.append(f":canonical: {thing.path}")
    if kind in ("class", "function", "method"):
        name += _signature(thing, names)
    for label in ("classmethod", "staticmethod", "abstractmethod"):
        if label in thing.labels and kind == "method":
            options.append(f":{label}:")
    annotation = getattr(thing, "annotation", None)
    if kind in ("property", "attribute") and annotation is not None:
        options.append(f":type: {_text(annotation, names)}")
    fence = ":" * (5 if kind == "class" else 4)
    head = "\n".join([f"{fence}{{py:{kind}}} {name}", *options])
    return f"{head}\n\n{content}\n{fence}"


def _signature(thing: Union[griffe.Class, griffe.Function], names: Names) -> str:
    parameters = [p for p in thing.parameters if p.name not in ("self", "cls")]
    if isinstance(thing, griffe.Class) and not parameters:
        # The fields of a named tuple.
        fields = [m for m in thing.members.values() if m.is_attribute and m.annotation is not None]
        is_tuple = any(str(base).endswith("NamedTuple") for base in thing.bases)
        texts = [f"{f.name}: {_text(f.annotation, names)}" for f in fields if is_tuple]
        return f"({', '.join(texts)})" if texts else "()"
    texts, star_is_said = [], False
    for parameter in parameters:
        kind = parameter.kind
        stars = {
            griffe.ParameterKind.var_positional: "*",
            griffe.ParameterKind.var_keyword: "**",
        }.get(kind, "")
        if kind is griffe.ParameterKind.keyword_only and not star_is_said:
            texts.append("*")
            star_is_said = True
        star_is_said |= stars == "*"
        text = stars + parameter.name
        if parameter.annotation is not None:
            text += f": {_text(parameter.annotation, names)}"
        if parameter.default is not None and not stars:
            text += f" = {parameter.default}"
        texts.append(text)
    returns = getattr(thing, "returns", None)
    arrow = f" -> {_text(returns, names)}" if returns is not None and thing.is_function else ""
    return f"({', '.join(texts)}){arrow}"


def _text(annotation: Union[str, griffe.Expr], names: Names) -> str:
    """Returns an annotation as text, with full names for what the reference describes."""
    if isinstance(annotation, str):
        return annotation
    parts = annotation.iterate(flat=True)
    return "".join(
        names.get(part.canonical_path, part.name) if isinstance(part, griffe.ExprName) else part
        for part in parts
    )
