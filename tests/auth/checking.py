"""A whole token check, waiting for a refresh where that may help, as the handlers do it in two steps."""

from __future__ import annotations

from kms_tornado.auth.authenticator import Authenticator
from kms_tornado.auth.principal import Principal


async def check_token(authenticator: Authenticator, token: str) -> Principal:
    return authenticator.check_now(token) or await authenticator.check_refreshing(token)
