"""Answers of an issuer that are broken in every way we could think of, and a fetch of them."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Callable
from typing import Any

from kms_tornado.auth.issuers.issuer import RefreshPolicy
from kms_tornado.auth.issuers.key_source import MAX_DOCUMENT_BYTES, FetchResult
from kms_tornado.web.bearer.jwks_fetch import JWKSFetch

from ...issuer import Answer, Issuer, _reset, response

TIMEOUT_S = 0.8


def fetch(
    url: str, *, etag: str | None = None, timeout_s: float = TIMEOUT_S, ca: Any = None
) -> FetchResult:
    async def run() -> FetchResult:
        fetching = JWKSFetch(RefreshPolicy(timeout_s=timeout_s, ca_file=ca and str(ca)))
        fetching.open()
        try:
            return await fetching(url, etag=etag)
        finally:
            fetching.close()
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left

    return asyncio.run(run())


def url_of(issuer: Issuer) -> str:
    return issuer.uri + issuer.jwks_path


def raw(*data: bytes, then: Callable[[asyncio.StreamWriter], Any] | None = None) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for part in data:
            writer.write(part)
        await writer.drain()
        if then is not None:
            await asyncio.sleep(0.02)
            then(writer)

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN: dict[str, tuple[Answer, str]] = {
    "reset": (Issuer.reset, "was reset"),
    "reset in the body": (Issuer.reset_in_body, "was reset"),
    "reset in a chunk": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", then=_reset), "was reset"),
    "reset in the headers": (raw(OK + b"X: y", then=_reset), "was reset"),
    "closed without a word": (raw(), "closed before a complete HTTP answer"),
    "closed in the headers": (raw(OK + b"X: y"), "closed before a complete HTTP answer"),
    "closed in the body": (raw(OK + b'Content-Length: 100\r\n\r\n{"keys":'), "closed before a complete HTTP answer"),
    "closed in a chunk": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{"), "closed before a complete HTTP answer"),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH\r\n\r\n"), "closed before a complete HTTP answer"),
    "bad Content-Length": (raw(OK + b"Content-Length: x\r\n\r\n{}"), "closed before a complete HTTP answer"),
    "headers without end": (raw(OK + b"X: " + b"y" * 100_000), "larger than 1048576 bytes"),
    "huge": (Issuer.huge, "larger than 1048576 bytes"),
    "huge Content-Length": (raw(OK + b"Content-Length: 300000000\r\n\r\n"), "larger than 1048576 bytes"),
    "a byte too large": (response(b" " * (MAX_DOCUMENT_BYTES + 1)), "larger than 1048576 bytes"),
    "a byte too large, packed": (
        response(gzip.compress(b" " * (MAX_DOCUMENT_BYTES + 1)), Content_Encoding="gzip"), "larger than 1048576 bytes",
    ),
    "no gzip": (response(b"text", Content_Encoding="gzip"), "closed before a complete HTTP answer"),
    "half of gzip": (response(gzip.compress(os.urandom(999))[:-99], Content_Encoding="gzip"), "closed before a complete"),
    "silent": (Issuer.silent, "no complete answer in time"),
    "slow drip": (Issuer.slow_drip, "no complete answer in time"),
}  # fmt: skip
