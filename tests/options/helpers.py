"""What the tests of options share: an issuer to trust, and a refusal as one line."""

from __future__ import annotations

from pathlib import Path

import pytest

import kms_tornado
from kms_tornado.errors import ConfigurationError
from kms_tornado.options import parse

ISSUER = "https://issuer.example.com/"


TRUSTING = ("--jwt-issuer-uri", ISSUER)


PACKAGE = Path(kms_tornado.__file__).parent


def refusal(argv, environ=None):
    """The one line that a bad configuration ends in."""
    with pytest.raises(ConfigurationError) as caught:
        parse(argv, environ or {})
    line = str(caught.value)
    assert line.isprintable()  # a line break is not
    return line


def effective(parsed, name):
    [one] = [e for e in parsed.effective if e.name == name]
    return one.value, one.source
