"""A real browser for the tests of the page: the fixture `browser`, and in it `tab` and `other_tab`, which share nothing.

    page = revisit(tab, server.port)
    sign_in(page, "alice@example.com")

A tab that is reloaded knows nothing of who was there before, and costs a fifth of a second; a context of its own, which
`visit` makes, costs two.

Where the machine has no chromium, or playwright is not installed, the tests are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

#: What the browser complains of although nothing is wrong.
_EXPECTED = ("Failed to load resource: the server responded with a status of 4",)


def launch() -> Iterator[Any]:
    """A fixture's body: the browser, and its end."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("there is no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_tab(browser: Any, **context: Any) -> Any:
    """In a context of its own. `page.complaints`: what the console and scripts said."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(60_000)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: _note(page, message))
    return page


def visit(browser: Any, port: int, path: str = "", **context: Any) -> Any:
    """The page of a server on loopback, in a tab of its own."""
    tab = open_tab(browser, **context)
    tab.goto(f"http://127.0.0.1:{port}/ui/{path}")
    return tab


def revisit(
    tab: Any,
    port: int,
    path: str = "",
    *,
    prefix: str = "",
    scheme: str = "light",
    width: int = 1280,
) -> Any:
    """The page of a server on loopback, in the tab, as somebody has it who was never there.

    prefix: below which the server is mounted. scheme: of colours.
    """
    origin = f"http://127.0.0.1:{port}"
    address = f"{origin}{prefix}/ui/{path}"
    is_there = tab.url.startswith(f"{origin}/")
    if not is_there:
        # The page that is left, whose server may be gone, would complain about that in the name of the next one.
        tab.goto("about:blank")
    tab.complaints.clear()
    tab.context.clear_cookies()
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    if is_there:  # to go to another fragment would load nothing
        tab.evaluate(_LEAVE, address)
        tab.reload()
    else:
        tab.goto(address)
    return tab


_LEAVE = """(address) => {
    localStorage.clear();
    sessionStorage.clear();
    history.replaceState(null, "", address);
}"""


def _note(page: Any, message: Any) -> None:
    if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
        page.complaints.append(message.text)


def sign_in(page: Any, user: str) -> None:
    """At the issuer of --dev, which alone asks who it is."""
    leave_for_issuer(page)
    page.wait_for_url("**/authorize?**")
    page.get_by_role("button", name=user).click()
    page.get_by_text("Sign out").wait_for()


def leave_for_issuer(page: Any) -> None:
    page.get_by_role("button", name="Sign in at ").click()


def paste_token(page: Any, token: str, *, press: str = "") -> None:
    """press: a key, in place of the button."""
    box = page.get_by_label("A token of your issuer (a JWT)")
    box.wait_for(state="attached")  # the page asks the server how one signs in
    if not box.is_visible():
        page.get_by_text("Paste a token instead").click()
    box.fill(token)
    if press:
        box.press(press)
    else:
        page.get_by_role("button", name="Sign in with the token").click()


def find_violations(page: Any) -> list[str]:
    """What axe-core finds in what is shown: "rule: where, where"."""
    if not page.evaluate("'axe' in window"):
        script = resources.files("axe_playwright_python").joinpath("axe.min.js")
        page.evaluate(script.read_text("utf-8"))
    found = page.evaluate(
        "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)"
    )
    return [
        f"{rule['id']}: {', '.join(str(node['target']) for node in rule['nodes'])}"
        for rule in found
    ]
