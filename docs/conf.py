"""How the site is built: ``tox -e docs``, from MyST Markdown and the docstrings of the package."""

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
autodoc_typehints = "description"

# Types of other projects cannot be linked, since nothing is fetched while the site is built; types of
# the package that are not public appear in signatures alone.
nitpick_ignore_regex = [
    ("py:.*", r"(?!kms_tornado\b).*"),
    ("py:class", r"kms_tornado\.(auth|web)\..*"),
]
