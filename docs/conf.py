"""Sphinx's settings; `make docs` builds the site with them."""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

_package = (DOCS.parent / "allennlp_elmo_plugin" / "__init__.py").read_text(encoding="utf-8")

project = "allennlp-elmo-plugin"
version = release = re.findall(r'^__version__ = "(.+)"', _package, re.MULTILINE)[0]
copyright = "the authors; Apache License 2.0"

extensions = ["myst_parser", "api_reference"]
exclude_patterns = ["_ext", "_static"]

myst_enable_extensions = ["colon_fence", "deflist"]
# Links name a heading of a page as GitHub does: `options.md#the-indexer`.
myst_heading_anchors = 3

# Every reference into the package must lead somewhere; other packages' names are not looked up,
# since that takes a network.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!allennlp_elmo_plugin\b).*")]
python_maximum_signature_line_length = 72
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
