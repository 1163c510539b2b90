"""How the site is built: ``tox -e docs``, from MyST Markdown and the docstrings of the package."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import kms_tornado  # noqa: E402

project = "kms_tornado"
author = "the authors of kms_tornado"
release = kms_tornado.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"kms_tornado {release}"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4  # so that a page can link to a section of another one

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80

# Types of other projects cannot be linked, since nothing is fetched while the site is built; types of
# the package that are not public appear in signatures alone.
nitpick_ignore_regex = [
    ("py:.*", r"(?!kms_tornado\b).*"),
    ("py:class", r"kms_tornado\.(auth|web)\..*"),
]


def setup(app):
    app.connect("autodoc-process-docstring", list_fields)
    app.connect("autodoc-process-signature", hide_factories)


def list_fields(app, what, name, obj, options, lines):
    """Show ``name: what it is``, with which our docstrings tell of parameters and fields, as a list."""
    written, is_field = [], False
    for line in lines:
        starts_field = re.match(r"([a-z_]+(?:, [a-z_]+)*): (.+)", line)
        if starts_field:
            is_field = True
            written += ["", f"- ``{starts_field[1]}``: {starts_field[2]}"]
        elif is_field and line and not line.startswith("Raises "):
            written.append(f"  {line}")
        else:
            written += ["", line] if is_field else [line]
            is_field = False
    lines[:] = written


def hide_factories(app, what, name, obj, options, signature, returns):
    """``<factory>``, the default of a dataclass's field, is not Python, and would spoil the line."""
    return signature and signature.replace("<factory>", "..."), returns
