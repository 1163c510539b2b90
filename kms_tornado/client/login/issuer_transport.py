"""How requests reach the issuer: limited in time and size, over TLS, without redirects.

TLS and proxy settings of the connection apply to the issuer, too, and no other setting: what is pinned, waived,
presented or added in headers is between the user and the key server.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from authlib.integrations.requests_client import OAuth2Session
from requests.adapters import BaseAdapter, HTTPAdapter

from ..connection import ConnectionSettings
from ..pool import make_pool
from .login_errors import IssuerUnreachable, LoginFailed
from .login_settings import LoginSettings
from .token_proofs import TokenProofs

#: A whole answer; issuers answer in a fraction of a second, and a person waits for it.
TIMEOUT_S = 15.0

#: Key sets and discovery documents are some kilobytes; answers with tokens are shorter.
MAX_BODY_BYTES = 1024 * 1024


def open_issuer_session(connection: ConnectionSettings, settings: LoginSettings) -> Any:
    """Authlib's OAuth 2.0 session, in which every request goes through `IssuerAdapter`."""
    session = OAuth2Session(
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        code_challenge_method="S256",
    )
    session.trust_env = False  # ~/.netrc would lend its passwords to the issuer
    session.adapters.clear()
    adapter = IssuerAdapter(connection)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def check_is_protected(url: str) -> None:
    """Refuse a URL that would carry codes and tokens over the network unencrypted."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None or not url.isprintable() or " " in url:
        raise LoginFailed("a URL of the issuer is none: check the configuration") from None
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and is_loopback(parts.hostname):
        return
    raise LoginFailed(
        f"{origin(url)} is not https: codes and tokens go to no other URL of an issuer"
    )


def is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class IssuerAdapter(BaseAdapter):
    """Makes requests' transport use the client's connection pool, so that there is only one TLS setup.

    proofs: for the token endpoint; None makes none.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        super().__init__()
        self.proofs: TokenProofs | None = None
        self._settings = replace(
            settings,
            accept_invalid_certs=False,
            verified_cert=None,
            client_certificate=None,
            custom_headers=(),
        )
        self._builder = HTTPAdapter()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Make one exchange. The parameters are those of requests; the settings replace them."""
        url = str(request.url)
        check_is_protected(url)
        answer, body = self._exchange(request, url)
        if self.proofs is not None and self.proofs.needs_another(url, answer, body):
            answer, body = self._exchange(request, url)
            self.proofs.needs_another(url, answer, body)  # a newer nonce is for the next request
        if 300 <= answer.status < 400:
            # A redirected POST would take the code and the secret along to wherever it points.
            raise LoginFailed(f"{origin(url)} answers with a redirect: configure its target")
        if answer.status >= 500 or answer.status == 429:
            raise IssuerUnreachable(
                f"the issuer at {origin(url)} is not available (HTTP {answer.status}): try again"
            )
        return self._builder.build_response(
            request,
            urllib3.HTTPResponse(
                BytesIO(body),
                headers=answer.headers,
                status=answer.status,
                reason=answer.reason,
                preload_content=False,
                decode_content=False,
            ),
        )

    def _exchange(
        self, request: requests.PreparedRequest, url: str
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        parts = urlsplit(url)
        pool = make_pool(replace(self._settings, server_url=f"{parts.scheme}://{parts.netloc}"))
        # Authlib sends forms, whose text is whole and not a stream.
        body = request.body if isinstance(request.body, str | bytes) else None
        fields = {name: _text(value) for name, value in request.headers.items()}
        if self.proofs is not None:
            fields |= self.proofs.make_fields(str(request.method), url)
        try:
            answer = pool.request(
                str(request.method),
                url,
                body=body,
                headers=fields,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(total=TIMEOUT_S),
            )
            return answer, read_bounded(answer, url)
        except urllib3.exceptions.SSLError:
            raise IssuerUnreachable(
                f"the certificate of {parts.netloc} is not trusted: name its authority in "
                "SSL_CERT_FILE (accept_invalid_certs and verified_cert are for the server alone)"
            ) from None
        except urllib3.exceptions.HTTPError as exc:
            raise IssuerUnreachable(
                f"the issuer does not answer at {origin(url)} ({type(exc).__name__}): check the "
                "network and the issuer's URL, then try again"
            ) from None
        finally:
            pool.clear()

    def close(self) -> None:
        """Do nothing: no connection stays open between two exchanges."""


def read_bounded(answer: urllib3.BaseHTTPResponse, url: str) -> bytes:
    """The decoded body. Neither its size nor a slow trickle can hold the client up."""
    deadline = time.monotonic() + TIMEOUT_S
    body = bytearray()
    # read1, as read waits until it has all that it asked for, however slowly that drops in.
    while chunk := answer.read1(65536, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY_BYTES or time.monotonic() > deadline:
            answer.close()
            raise LoginFailed(f"the answer of {origin(url)} is too long or too slow")
    return bytes(body)


def origin(url: str) -> str:
    """The part of a URL that an error may show: its query may contain secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _text(header: str | bytes) -> str:
    """A header as text. Authlib writes some as octets (RFC 9110 §5.5: those of Latin-1)."""
    return header.decode("latin-1") if isinstance(header, bytes) else header
