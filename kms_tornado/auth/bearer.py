"""The ``Authorization`` request header and the ``WWW-Authenticate`` challenge (RFC 6750 §2.1, §3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import AuthenticationError, InvalidRequest, MissingToken

# b64token of RFC 6750 §2.1.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# What a compact JWS consists of.
_COMPACT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
# A scheme is a token of RFC 9110 §5.6.2.
_SCHEME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def parse_authorization(values: Sequence[str]) -> str:
    """The token of the one ``Authorization`` header.

    values: that header's field values, in the order received.
    Raises MissingToken where there is none or its scheme is not Bearer, InvalidRequest where there
    are two headers, no token, or something that is no b64token.
    """
    if not values:
        raise MissingToken("no Authorization header")
    if len(values) > 1:
        # Two proxies may each believe another one; which is meant is anybody's guess.
        raise InvalidRequest("more than one Authorization header")
    scheme, _, token = values[0].strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        if not _SCHEME.fullmatch(scheme):  # "", "Bearer,", "Bearer:x", "Bearer<tab>x"
            raise InvalidRequest("the header starts with no scheme")
        raise MissingToken("the scheme is not Bearer")
    token = token.lstrip(" ")  # 1*SP
    if not _TOKEN.fullmatch(token):
        raise InvalidRequest("no b64token follows the scheme")
    return token


def is_compact(token: str) -> bool:
    """Whether a token is made of nothing but a compact JWS's characters, and so is a b64token.

    Twice as fast as the grammar, which is for what is none.
    """
    return token != "" and token.isascii() and not token.encode().translate(None, _COMPACT)


def format_challenge(
    realm: str, error: AuthenticationError | None = None, *, resource_metadata: str | None = None
) -> str:
    """The value of ``WWW-Authenticate``; without an error code where no token was offered (§3.1).

    resource_metadata: the URL of RFC 9728 §5.1, None where no such document is served.
    """
    parameters = [("realm", realm)]
    if error is not None and error.code is not None:
        parameters += [("error", error.code), ("error_description", str(error))]
    if resource_metadata is not None:
        parameters.append(("resource_metadata", resource_metadata))
    return "Bearer " + ", ".join(f'{name}="{_quoted(value)}"' for name, value in parameters)


def _quoted(value: str) -> str:
    """The inside of a quoted-string: RFC 6750 §3 leaves no room for quotes and backslashes."""
    return re.sub(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]", "", value)
