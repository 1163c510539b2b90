"""The vectors that every reader of the format runs, against this one."""

from __future__ import annotations

import pytest

from kms_tornado.client.files.errors import UntrueFile

from ...rows import each_row
from .samples import decrypted
from .vectors import PATH, Case, read_cases, render


def test_file_is_what_its_program_writes() -> None:
    assert PATH.read_text() == render()


@each_row("case", [pytest.param(case, id=case.name) for case in read_cases()])
def test_vector_is_opened_or_refused(case: Case) -> None:
    if case.refusal is None:
        assert decrypted(case.data) == case.plaintext
    else:
        with pytest.raises(UntrueFile) as refusal:
            decrypted(case.data)
        assert case.refusal in str(refusal.value)
