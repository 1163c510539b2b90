"""Pictures of the page for docs/page.md: ``python -m tests.web.ui.screenshots`` makes them anew, with a server of its own.

They are made when somebody asks, and not by each run of the tests: every one has other times in it.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path

from ...kms import User
from ...server import ServerProcess, eventually
from ..process.dev.browser import BOB, Printed
from .browser import launch, paste_token, visit
from .keys_to_show import make_keys

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
#: {name of the picture: address of the view}
VIEWS = {
    "sign-in": None,
    "overview": "",
    "keys": "keys",
    "key": "keys/invoices-2026",
    "access": f"access?user={BOB}&key=invoices-2026",
    "attention": "attention",
    "audit": "audit",
    "files": "encrypt",
    "me": "me",
}
_SIZE = {"width": 1100, "height": 760}
_INDEXED_S = 4  # until the audit tells what was done


def main() -> int:
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        ServerProcess("--dev", cwd=Path(directory)) as server,
        contextlib.contextmanager(launch)() as browser,
    ):
        printed = Printed(server)
        alice, bob = (User(server.port, token) for token in (printed.alice, printed.bob))
        make_keys(alice, bob, is_hostile=False)
        time.sleep(_INDEXED_S)
        for scheme in ("light", "dark"):
            page = visit(browser, server.port, color_scheme=scheme, viewport=_SIZE)
            for name, address in VIEWS.items():
                if address is None:
                    page.get_by_role("button", name="Sign in at ").wait_for()
                else:
                    if page.get_by_text("Sign out").count() == 0:
                        paste_token(page, printed.alice)
                        page.get_by_text("Sign out").wait_for()
                    page.evaluate("address => { location.hash = `#/${address}`; }", address)
                    page.wait_for_load_state("networkidle")
                    eventually(lambda: page.locator("main .waiting").count() == 0)  # noqa: B023
                    page.wait_for_timeout(300)
                page.screenshot(path=PICTURES / f"page-{name}-{scheme}.png")
            page.context.close()
    print(f"{2 * len(VIEWS)} pictures are in {PICTURES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
