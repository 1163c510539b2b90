"""The stand-alone verifier of examples/, run in this process; tests/docs runs it as its reader does."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from pathlib import Path

import pytest

from ..server import ROOT

VERIFIER = ROOT / "examples" / "verify_audit_log.py"


def run_verifier(*words: str | Path) -> tuple[int, str]:
    """(exit code, what it prints)."""
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
        patch.setattr(sys, "argv", [str(VERIFIER), *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(VERIFIER), run_name="__main__")
    assert isinstance(ended.value.code, int)
    return ended.value.code, printed.getvalue()
