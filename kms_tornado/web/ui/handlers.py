"""The handlers of the page: its HTML, its static files, and what its script needs before anybody has signed in."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod

from tornado.web import HTTPError

from ..answers import JSON, Answer
from ..handlers.service_handler import ServiceHandler
from .page import Page
from .page_files import PageFile

_FOR_EVER = "public, max-age=31536000, immutable"


#: A coding and its weight, of which 0 means "not acceptable" (RFC 9110 §12.4.2, §12.5.3).
_CODING = re.compile(r"\s*([^\s;]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?", re.ASCII | re.IGNORECASE)


def accepts_gzip(header: str) -> bool:
    """Whether `Accept-Encoding` allows gzip, by name or as any coding."""
    weights = {
        match[1].lower(): match[2] is None or match[2].strip("0.") != ""
        for part in header.split(",")
        if (match := _CODING.fullmatch(part))
    }
    return weights.get("gzip", weights.get("*", False))


class PageHandler(ServiceHandler, ABC):
    """Answers with a part of the page. No token is needed: all data comes from other paths, which need one."""

    _etag: str | None = None

    @property
    def page(self) -> Page:
        page = self.context.page
        assert page is not None  # else there are no routes to these handlers
        return page

    def compute_etag(self) -> str | None:
        return self._etag

    async def head(self, *path: str) -> None:
        await self.get(*path)

    @abstractmethod
    async def get(self, *path: str) -> None:
        """Answer; Tornado sends no body where the request is a HEAD."""

    def send_file(self, file: PageFile) -> None:
        """Send a file. Tornado answers 304 if the browser has it already."""
        self._etag = file.etag
        self.set_header("Content-Type", file.media_type)
        self.set_header("Vary", "Accept-Encoding")
        body = file.body
        if accepts_gzip(self.request.headers.get("Accept-Encoding", "")):
            self.set_header("Content-Encoding", "gzip")
            body = file.packed
            self._etag = f'{file.etag[:-1]}-gzip"'  # other bytes, other tag: RFC 9110 §8.8.3.3
        self.finish(body)


class ShellHandler(PageHandler):
    """Serves the HTML. Browsers ask each time whether it has changed, and it names all files of its version."""

    async def get(self, *path: str) -> None:
        if "code" in self.request.query_arguments:  # its policy has to let the code be redeemed
            await self.page.find_sign_in()
        for name, value in self.page.shell_headers().items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-cache")
        self.send_file(self.page.files.shell)


class RedirectHandler(PageHandler):
    """Redirects from the path without its slash to the page, below whatever path a proxy has added."""

    async def get(self, *path: str) -> None:
        self.set_status(308)
        self.set_header("Location", self.request.path.rpartition("/")[2] + "/")
        self.finish()


class RootHandler(PageHandler):
    """Leads a browser from the server's address to the page, below whatever path a proxy has added."""

    async def get(self, *path: str) -> None:
        self.set_status(303)  # not for ever: a server without the page answers 404
        self.set_header("Location", "ui/")
        self.finish()


class FileHandler(PageHandler):
    """Serves a static file. Its path contains the digest of its version, so browsers never have to ask again."""

    async def get(self, *path: str) -> None:
        digest, name = path
        files = self.page.files
        file = files.files.get(name)
        if digest != files.digest or file is None:
            raise HTTPError(404)
        self.set_header("Cache-Control", _FOR_EVER)
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_file(file)


class SignInHandler(PageHandler):
    """Tells how one signs in here: at which issuer, as which client."""

    async def get(self, *path: str) -> None:
        body = json.dumps(await self.page.describe_sign_in()).encode()
        self.send_answer(Answer(200, JSON, body))


PAGE_ROUTES: list[tuple[str, type[ServiceHandler]]] = [
    ("/", RootHandler),
    ("/ui", RedirectHandler),
    ("/ui/", ShellHandler),
    ("/ui/sign-in.json", SignInHandler),
    ("/ui/static/([0-9a-f]+)/(.+)", FileHandler),
]
