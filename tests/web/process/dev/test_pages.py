"""The pages of the issuer of --dev in a real browser, which obeys their policy (skipped where there is none)."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import itertools
import json
import re
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from .browser import ALICE, BOB, Visitor, asking, claims_of, dev_issuer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")


class Tab:
    """One tab of the browser, by its DevTools protocol."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._connection.write_message(
            json.dumps({"id": number, "method": method, "params": params})
        )
        while True:
            answer = json.loads(str(await self._connection.read_message()))
            if answer.get("id") == number:
                return dict(answer)

    async def evaluate(self, expression: str) -> Any:
        """None, too, where the page was left for another one meanwhile."""
        answer = await self.call("Runtime.evaluate", expression=expression)
        return answer.get("result", {"result": {}})["result"].get("value")

    async def wait_for(self, expression: str) -> None:
        for _ in range(1000):
            if await self.evaluate(f"document.readyState == 'complete' && ({expression})"):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"it did not come to {expression}")


@contextlib.asynccontextmanager
async def tab(browser: str, url: str) -> AsyncIterator[Tab]:
    """A new tab at the URL."""
    whole = await websocket_connect(browser)
    answer = await Tab(whole).call("Target.createTarget", url=url)
    host, target = urlsplit(browser).netloc, answer["result"]["targetId"]
    connection = await websocket_connect(f"ws://{host}/devtools/page/{target}")
    try:
        yield Tab(connection)
    finally:
        for each in (connection, whole):
            each.close()
            while await each.read_message() is not None:
                pass


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Chromium without a window; the address of its DevTools."""
    assert CHROMIUM is not None
    profile: Path = tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", "about:blank",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            listening = re.search(r"DevTools listening on (ws://\S+)", line)
            if listening:
                break
        else:
            pytest.skip("Chromium does not start here")
        yield listening[1]
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    with dev_issuer() as running:
        yield running


@contextlib.contextmanager
def program(host: str) -> Iterator[tuple[str, list[str]]]:
    """A program that waits for its code: (redirect URI, the paths that the browser asked for)."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<title>signed in</title>")

        def log_message(self, *args: object) -> None:
            pass

    # With a thread for each connection: the browser opens some that it may need, and is silent on them.
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}/done", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_button_leads_back_to_the_program(browser: str, visitor: Visitor, host: str) -> None:
    """A policy without the program's address stops the redirect in Chromium, and no test without it."""

    async def sign_in(address: str) -> None:
        url = f"{visitor.uri}/authorize?{urlencode(asking(redirect_uri=address, login_hint=BOB))}"
        async with tab(browser, url) as page:
            await page.wait_for(f"document.activeElement.value == '{BOB}'")  # as hinted
            await page.evaluate("document.activeElement.click()")
            await page.wait_for("document.title == 'signed in'")

    with program(host) as (address, paths):
        asyncio.run(sign_in(address))
        query = parse_qs(urlsplit(paths[0]).query)
        answer = visitor.redeem(query["code"][0], redirect_uri=address)
    assert claims_of(answer.json()["access_token"])["sub"] == BOB


def test_device_is_signed_in_on_the_page(browser: str, visitor: Visitor) -> None:
    device = visitor.start_device()

    async def sign_in() -> Any:
        async with tab(browser, device["verification_uri"]) as page:
            await page.wait_for("document.querySelector('input') != null")
            typed = json.dumps(device["user_code"].lower())
            await page.evaluate(f"document.querySelector('input').value = {typed}")
            await page.evaluate("document.querySelector('button').click()")
            await page.wait_for("document.querySelectorAll('button').length == 3")
            styled = await page.evaluate("getComputedStyle(document.body).maxWidth")
            await page.evaluate(f"document.querySelector('[value=\"{ALICE}\"]').click()")
            await page.wait_for("document.body.innerText.includes('acts for')")
            return styled

    assert asyncio.run(sign_in()) == "480px"  # the style sheet is used: 30 times 16
    assert claims_of(visitor.poll(device["device_code"]).json()["access_token"])["sub"] == ALICE


def test_page_of_another_origin_neither_frames_nor_forges(browser: str, visitor: Visitor) -> None:
    """Another port of the same host is another site, which a browser tells by the Origin."""
    device = visitor.start_device()
    ticket = re.findall(
        r'name="ticket" value="([^"]+)"',
        visitor.get("/device", {"user_code": device["user_code"]}).text,
    )[0]

    async def attack(address: str) -> tuple[Any, Any]:
        async with tab(browser, address) as page:
            await page.wait_for("document.title == 'signed in'")
            await page.evaluate(
                f'document.body.innerHTML = \'<iframe src="{visitor.uri}/device"></iframe>'
                f'<form method=post action="{visitor.uri}/device"><input name=ticket value="{ticket}">'
                f'<input name=user value="{ALICE}"></form>\''
            )
            await page.wait_for("document.querySelector('iframe').contentDocument == null")
            await page.call("Page.enable")
            tree = (await page.call("Page.getFrameTree"))["result"]
            framed = [child["frame"] for child in tree["frameTree"]["childFrames"]]
            await page.evaluate("document.querySelector('form').submit()")
            await page.wait_for("document.body.innerText.includes('error')")
            return framed, await page.evaluate("document.body.innerText")

    with program("127.0.0.1") as (address, _):
        framed, text = asyncio.run(attack(address))
    assert "a page of another site may not send this" in text
    assert [frame["url"].partition(":")[0] for frame in framed] == ["chrome-error"]
    assert visitor.poll(device["device_code"]).json()["error"] == "authorization_pending"
