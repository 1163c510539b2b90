"""An application's own deny list: a remembered token is refused soon after its line is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kms_tornado.auth.credentials import Credentials
from kms_tornado.errors import ConfigurationError, TokenDenied
from kms_tornado.web.bearer.auth import BearerAuth

from ...auth.checking import check_token
from ...issuer import Issuer


def credentials(token: str) -> Credentials:
    return Credentials([f"Bearer {token}"], {})


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(2000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the deny list was not read")


async def until_denied(auth: BearerAuth, token: str) -> None:
    await until(lambda: auth.recall(credentials(token)) is None)
    with pytest.raises(TokenDenied):
        auth.check_now(credentials(token))


def test_remembered_token_is_refused_soon_after_its_line_is_written(
    issuer: Issuer, tmp_path: Path
) -> None:
    path = tmp_path / "deny"
    path.write_text("")
    stolen, new = issuer.token(aud="kms", jti="1"), issuer.token(aud="kms", jti="2")

    async def story() -> None:
        async with BearerAuth.from_issuer(issuer.uri, audience="kms", deny_file=path) as auth:
            for token in (stolen, new):
                assert (await check_token(auth.authenticator, token)).name == "alice"
            path.write_text("jti=1\n")
            await until_denied(auth, stolen)
            assert auth.recall(credentials(new)) is not None
            path.unlink()
            replacement = tmp_path / "replacement"
            replacement.write_text("sub=alice\n")
            replacement.rename(path)
            await until_denied(auth, new)
            path.write_text("")
            await until(lambda: not auth.authenticator.denied.entries)
            assert auth.check_now(credentials(stolen)) is not None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


def test_list_is_in_force_from_the_first_request(issuer: Issuer, tmp_path: Path) -> None:
    path = tmp_path / "deny"
    path.write_text(f"iss={issuer.uri} sub=alice\n")

    async def story() -> None:
        async with BearerAuth.from_issuer(issuer.uri, deny_file=str(path)) as auth:
            with pytest.raises(TokenDenied):
                await check_token(auth.authenticator, issuer.token())
            assert (await check_token(auth.authenticator, issuer.token(sub="bob"))).name == "bob"

    asyncio.run(story())


def test_without_its_list_nothing_is_served(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        BearerAuth.from_issuer("https://issuer.example/", deny_file=tmp_path / "absent")
