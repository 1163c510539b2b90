"""The first quarter of an hour of two people, on --dev, through the page alone: a key, a file, a no, a yes, and an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...server import ServerProcess, eventually
from ..process.dev.browser import ALICE, BOB
from .browser import revisit, sign_in
from .conftest import INDEXED_SOON


def open_view(page: Any, name: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, exact=True).wait_for()


def decrypt(page: Any, sealed: Path) -> None:
    page.get_by_label("File", exact=True).set_input_files(sealed)
    page.get_by_label("Decrypt", exact=True).check()
    page.get_by_role("button", name="Decrypt").click()


def test_key_is_made_shared_used_and_ended_and_all_of_it_is_on_record(
    tab: Any, other_tab: Any, tmp_path: Path
) -> None:
    report = tmp_path / "report.txt"
    report.write_text("pay 12 EUR")
    sealed = tmp_path / "report.txt.kms"
    with ServerProcess("--dev", cwd=tmp_path, constants=INDEXED_SOON) as server:
        alice = revisit(tab, server.port)
        sign_in(alice, ALICE)
        alice.get_by_role("link", name="Create one").click()

        # A key, made on the list of keys, whose own page is shown then.
        alice.get_by_role("button", name="Create a key").click()
        dialog = alice.get_by_role("dialog")
        dialog.get_by_label("Name").fill("Reports")
        dialog.get_by_role("button", name="Create").click()
        alice.get_by_role("heading", name="Reports", exact=True).wait_for()

        # A file for it, from there.
        alice.get_by_role("link", name="Encrypt a file").click()
        alice.get_by_label("File", exact=True).set_input_files(report)
        with alice.expect_download() as download:
            alice.get_by_role("button", name="Encrypt", exact=True).click()
        download.value.save_as(sealed)
        assert report.read_bytes() not in sealed.read_bytes()

        # Bob is refused, and told whom to ask.
        bob = revisit(other_tab, server.port)
        sign_in(bob, BOB)
        open_view(bob, "Files")
        decrypt(bob, sealed)
        bob.get_by_role("alert").wait_for()
        assert "share it with you" in bob.get_by_role("alert").inner_text()

        # Alice shares it; Bob finds it, and opens the file.
        open_view(alice, "Keys")
        alice.get_by_role("link", name="Reports", exact=True).click()
        alice.get_by_role("button", name="Share", exact=True).click()
        dialog.get_by_label("With whom").fill(BOB)
        dialog.get_by_role("button", name="Share").click()
        alice.get_by_role("button", name=f"Take the rights of {BOB} back").wait_for()
        with bob.expect_download() as download:
            decrypt(bob, sealed)
        download.value.save_as(tmp_path / "bobs.txt")
        assert (tmp_path / "bobs.txt").read_text() == "pay 12 EUR"
        open_view(bob, "Keys")
        bob.get_by_role("link", name="Shared with me").click()
        bob.get_by_text("alice@example.com").wait_for()

        # The key is ended, after who loses what was said.
        alice.get_by_role("button", name="Revoke").click()
        dialog.get_by_text(BOB).first.wait_for()
        dialog.get_by_role("button", name="Revoke").click()
        eventually(
            lambda: alice.locator(".way [aria-current=step]").inner_text().startswith("Deactivated")
        )

        # All of it is on record, the no with its reason.
        open_view(alice, "Audit")

        def told() -> str:
            alice.get_by_role("button", name="Refresh").click()
            alice.get_by_text("records").first.wait_for()
            return str(alice.locator("table").inner_text())

        eventually(
            lambda: (
                {"Revoke", "Access grant", "Decrypt", "Encrypt", "Create"}
                <= set(told().replace("\t", "\n").split("\n"))
            )
        )
        assert "there is no such key, or it was not granted to this user" in told()
        assert alice.complaints == bob.complaints == []
