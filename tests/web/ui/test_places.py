"""The page where it is served below another path, by another program, or by a server in trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tornado.web import Application

from kms_tornado import handlers
from kms_tornado.auth.no_auth import InsecureNoAuth

from ...issuer import Issuer
from ...kms import User
from ...server import NO_AUTH, ServerProcess, eventually, serving, trusting
from ...support import running
from .browser import paste_token, revisit
from .conftest import ALICE
from .keys_to_show import create


def test_mounted_page_asks_below_its_prefix(tab: Any, tmp_path: Path) -> None:
    kms = handlers(prefix="/kms", data_dir=tmp_path, auth=InsecureNoAuth(ALICE), ui=True)
    with running(lambda: Application([*kms]), kms) as client:
        assert client.get("/kms/ui").headers["Location"] == "ui/"
        assert client.get("/ui/").status == 404
        page = revisit(tab, client.port, prefix="/kms")
        page.get_by_label("A token of your issuer (a JWT)").fill("whatever.it.is")
        page.get_by_role("button", name="Sign in with the token").click()
        page.get_by_role("heading", name="Overview").wait_for()
        page.get_by_text("You have no keys yet.").wait_for()
        assert page.complaints == []


def test_without_tokens_nobody_is_asked_for_one(tab: Any, tmp_path: Path) -> None:
    with serving(*NO_AUTH, "--ui", cwd=tmp_path) as server:
        page = revisit(tab, server.client.port, "#/me")
        page.get_by_role("heading", name="Me", exact=True).wait_for()
        assert "tokens are not checked here" in page.locator("main").inner_text()
        assert page.get_by_text("Sign out").count() == 0
        assert page.complaints == []


def test_many_keys_come_page_by_page_each_once(tab: Any, tmp_path: Path) -> None:
    with serving(*NO_AUTH, "--ui", cwd=tmp_path) as server:
        user = User(server.client.port, None)
        for number in range(120):
            create(user, f"key-{number:03}", named=f"Key {number}")
        page = revisit(tab, server.client.port, "#/keys")
        page.get_by_text("50 keys so far").wait_for()
        create(user, "newer", named="Newer")  # moves nothing
        page.get_by_role("button", name="Show more").click()
        page.get_by_text("100 keys so far").wait_for()
        page.get_by_role("button", name="Show more").click()
        page.get_by_text("120 keys", exact=True).wait_for()
        rows = page.locator("tbody tr th .sub").all_inner_texts()
        assert rows == [f"key-{number:03}" for number in reversed(range(120))]


def test_database_that_is_away_is_told_and_its_return_is_seen(tab: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Issuer("ES256") as issuer:
        options = trusting(issuer, "--ui", "--data-dir", str(data))
        with ServerProcess(*options, cwd=tmp_path) as server:  # whose log has warnings
            token = issuer.token(aud="kms", sub=ALICE)
            create(User(server.client.port, token), "one", named="One")
            page = revisit(tab, server.client.port, "#/me")
            paste_token(page, token)
            page.get_by_text("Sign out").wait_for()
            (data / "kms.db").rename(data / "away.db")
            eventually(lambda: server.client.get("/ready").status == 503)
            page.get_by_role("link", name="Overview").click()
            page.get_by_text("The server is not working").wait_for()
            page.get_by_role("alert").first.wait_for()
            text = page.locator("main").inner_text()
            assert "The server is not working: database, audit." in text
            assert "Try again" in text
            (data / "away.db").rename(data / "kms.db")
            eventually(lambda: server.client.get("/ready").status == 200)
            page.get_by_role("link", name="Keys", exact=True).click()
            page.get_by_text("1 key", exact=True).wait_for()
