"""What tests do on the page: sign in, go to a view, open a dialog as views do."""

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


def show(page: Any, view: str) -> str:
    """Go to the view, as "keys/my-key"; the text of its content, once it is complete."""
    text = page.evaluate(_SHOW, view)
    assert text is not None, f"{view!r} is not complete in time"
    return str(text)


# At once, as each question of Playwright's costs as much as a view does.
_SHOW = """async (view) => {
    const text = () => document.querySelector("main")?.innerText ?? "Loading";
    const isNowhere = () => text().includes("There is no such view");
    const isComplete = () =>
        view === "nowhere"
        ? isNowhere()
        : !/There is no such view|Loading/.test(text()) && !document.querySelector("main .waiting");
    for (const [address, isThere] of [["nowhere", isNowhere], [view, isComplete]]) {
        location.hash = `#/${address}`;
        for (const end = Date.now() + 60_000; !isThere(); ) {
            if (Date.now() > end) return null;
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
    }
    return text();
}"""


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
