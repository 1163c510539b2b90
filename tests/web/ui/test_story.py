"""What two people do with a key on the page, from its making to its end, with kmsctl beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ...client.cli.runner import Kmsctl
from .acting import enter
from .browser import launch
from .conftest import ALICE, BOB, Place


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launch()


def choose(page: Any, file: Path) -> None:
    page.get_by_label("File", exact=True).set_input_files(file)


def refusal(page: Any) -> str:
    """What is said instead of a file."""
    page.get_by_role("button", name="Decrypt").click()
    alert = page.get_by_role("alert")
    text = str(alert.inner_text())
    page.get_by_role("link", name="Me").click()
    page.get_by_role("link", name="Files").click()
    return text


def saved(page: Any, button: str, target: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    download.value.save_as(target)
    return target


def test_key_is_made_used_shared_revoked_and_destroyed(
    browser: Any, place: Place, alice: Kmsctl, tmp_path: Path
) -> None:
    data, file = os.urandom(300_000), tmp_path / "report.pdf"
    file.write_bytes(data)
    hers, his = enter(browser, place, ALICE, "#/keys"), enter(browser, place, BOB, "#/encrypt")

    hers.get_by_role("button", name="Create a key").first.click()
    hers.get_by_label("Name").fill("billing")
    hers.get_by_role("button", name="Create", exact=True).click()
    hers.get_by_role("heading", name="billing").wait_for()
    uid = hers.url.rpartition("/")[2]

    hers.get_by_role("link", name="Encrypt a file").click()
    choose(hers, file)
    assert hers.get_by_label("For the key").input_value() == uid
    sealed = saved(hers, "Encrypt", tmp_path / "report.pdf.kms")
    assert alice("decrypt", sealed, "-o", tmp_path / "by-kmsctl").code == 0
    assert (tmp_path / "by-kmsctl").read_bytes() == data

    choose(his, sealed)
    assert "ask its owner to share it with you" in refusal(his)
    hers.go_back()
    hers.get_by_role("button", name="Share").click()
    hers.get_by_label("With whom").fill(BOB)
    hers.get_by_role("dialog").get_by_role("button", name="Share").click()
    hers.get_by_role("button", name=f"Take the rights of {BOB} back").wait_for()
    choose(his, sealed)
    assert saved(his, "Decrypt", tmp_path / "his").read_bytes() == data

    hers.get_by_role("button", name="Revoke").click()
    hers.get_by_role("dialog").get_by_text(BOB).first.wait_for()
    hers.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    hers.get_by_text("Deactivated").first.wait_for()
    choose(his, sealed)
    assert saved(his, "Decrypt", tmp_path / "after").read_bytes() == data

    hers.get_by_role("button", name="Destroy").click()
    hers.get_by_label("Type billing to confirm").fill("billing")
    hers.get_by_role("button", name="Destroy for ever").click()
    hers.get_by_text("Destroyed").first.wait_for()
    choose(his, sealed)
    assert "is Destroyed" in refusal(his)
    assert hers.complaints == []
    assert his.complaints == []
