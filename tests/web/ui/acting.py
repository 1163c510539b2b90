"""Dialogs of the page, opened as its views open them."""

from __future__ import annotations

from typing import Any

from .browser import paste_token, revisit
from .conftest import Place


def enter(tab: Any, place: Place, name: str, path: str = "", **look: Any) -> Any:
    """The page, with somebody signed in. look: as of `revisit`."""
    page = revisit(tab, place.port, path, **look)
    paste_token(page, place.token(name))
    page.get_by_text("Sign out").wait_for()
    return page


def open_action(page: Any, module: str, function: str, argument: Any = None) -> Any:
    """The dialog of a function in actions/, which waits for what the person does."""
    page.evaluate(
        """async ([module, name, argument]) => {
            const base = document.querySelector('script[type="module"]').src.replace("main.js", "");
            const functions = await import(`${base}actions/${module}.js`);
            window.outcome = "open";
            functions[name](argument).then((value) => { window.outcome = value ?? null; });
        }""",
        [module, function, argument],
    )
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    return dialog


def outcome(page: Any) -> Any:
    """What the dialog resolved to, once it is closed."""
    page.get_by_role("dialog").wait_for(state="detached")
    return page.evaluate("window.outcome")
