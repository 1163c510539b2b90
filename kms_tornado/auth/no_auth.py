"""InsecureNoAuth: for --insecure-no-auth, where every request counts as one configured user's.

Only programs of this machine reach a loopback address, but a browser is one of them, and it sends requests on behalf
of any page that is open in it. So requests that a page could cause are refused:

- The Host is not a name of the loopback interface: the page's own name was made to lead here (DNS rebinding), and the
  browser takes this server for the page's.
- The Origin is another one, or Sec-Fetch-Site says that another site's page sends the request.
- A body without a bearer token has a type that a browser sends to other origins unasked: a form's, plain text, or
  none (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from ..errors import ForeignPage
from .bearer import has_bearer_scheme
from .credentials import Credentials
from .issuers.issuer_urls import is_loopback_host
from .issuers.key_status import KeyStatus
from .principal import Claims, Principal

#: What programs send here; a browser asks before it sends these to another origin.
_BODY_TYPES = ("application/json", "application/octet-stream")
#: Where the browser itself, or a page of this server, sends the request.
_OWN_SITES = ("same-origin", "none")


class InsecureNoAuth:
    """A `RequestAuth` that asks for no token. The options allow it on loopback addresses only."""

    realm = "kms"
    issuers: Sequence[str] = ()
    scopes: Sequence[str] = ()
    proof_algorithms: Sequence[str] = ()
    needs_binding = False
    public_url = None
    has_groups = False

    def __init__(self, username: str) -> None:
        self._principal = Principal(
            name=username, subject=username, issuer="", claims=Claims(), expires_at=math.inf
        )

    def recall(self, credentials: Credentials) -> Principal | None:
        return None if find_foreign_page(credentials) else self._principal

    def check_now(self, credentials: Credentials) -> Principal:
        fault = find_foreign_page(credentials)
        if fault:
            raise ForeignPage(fault)
        return self._principal

    async def check_waiting(self, credentials: Credentials) -> Principal:
        return self.check_now(credentials)

    async def start(self) -> None:
        """Do nothing: nothing runs in the background."""

    async def stop(self) -> None:
        """Do nothing: nothing runs in the background."""

    def check_files(self) -> None:
        """Do nothing: no file is read."""

    def refresh_soon(self) -> None:
        """Do nothing: there are no keys to fetch."""

    def status(self) -> Sequence[KeyStatus]:
        return ()

    def statistics(self) -> None:
        return None

    def observe_verifications(self, observe: Callable[[float], None]) -> None:
        """Do nothing: nothing is verified."""


def find_foreign_page(credentials: Credentials) -> str | None:
    """The reason to believe that a page in a browser caused the request; None where no page can have caused it."""
    headers = credentials.headers
    if headers is None:
        return None
    host = headers.get("Host")
    if host is not None and not is_loopback_host(_host_name(host)):
        return "the Host is not a name of this machine's loopback interface"
    origin = headers.get("Origin")
    if origin is not None and _split(origin).netloc != host:
        return "the Origin is another one"
    if headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
        return "another site's page sent it"
    if any(map(has_bearer_scheme, credentials.authorization)) or not _has_body(headers):
        return None
    body_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if body_type not in _BODY_TYPES:
        return f"its Content-Type is none of {', '.join(_BODY_TYPES)}"
    return None


def _host_name(host: str) -> str | None:
    """The name or address in a Host header, without the port; None where the header is malformed."""
    return _split(f"//{host}").hostname


def _split(url: str) -> SplitResult:
    """The parts of a URL; empty ones where the text is no URL."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _has_body(headers: Mapping[str, str]) -> bool:
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"
