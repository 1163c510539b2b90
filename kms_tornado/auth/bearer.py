"""The ``Authorization`` request header and the ``WWW-Authenticate`` challenge (RFC 6750 §2.1, §3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import AuthenticationError, InvalidRequest, MissingToken

# b64token of RFC 6750 §2.1.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# The characters of a compact JWS.
_COMPACT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
# An authentication scheme is a token (RFC 9110 §11.1, §5.6.2).
_SCHEME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def parse_authorization(values: Sequence[str]) -> str:
    """The bearer token of a request.

    values: the values of its ``Authorization`` headers, in the order received.
    Raises MissingToken where there is none or its scheme is not Bearer; InvalidRequest where there
    are two, or where no b64token (RFC 6750 §2.1) follows the scheme.
    """
    if not values:
        raise MissingToken("no Authorization header")
    if len(values) > 1:
        # Two proxies on the way may each have relied on a different one; nothing says which counts.
        raise InvalidRequest("more than one Authorization header")
    scheme, _, token = values[0].strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        if not _SCHEME.fullmatch(scheme):  # "", "Bearer,", "Bearer:x", "Bearer<tab>x"
            raise InvalidRequest("the header does not start with a scheme")
        raise MissingToken("the scheme is not Bearer")
    token = token.lstrip(" ")  # 1*SP
    if not is_bearer_token(token):
        raise InvalidRequest("no b64token follows the scheme")
    return token


def has_bearer_scheme(value: str) -> bool:
    """Whether the value of an ``Authorization`` header is a bearer token's, which no browser sends unasked.

    Browsers do send the credentials of other schemes (Basic, Negotiate) by themselves.
    """
    return value.lstrip(" \t")[:7].lower() == "bearer "


def is_bearer_token(text: str) -> bool:
    """Whether the text is a b64token (RFC 6750 §2.1), which a header can carry."""
    return _TOKEN.fullmatch(text) is not None


def is_compact(token: str) -> bool:
    """Whether a token has only characters of a compact JWS, and so is a b64token as well.

    Twice as fast as matching the grammar of b64token, which then only the other tokens need.
    """
    return token != "" and token.isascii() and not token.encode().translate(None, _COMPACT)


def format_challenge(
    realm: str, error: AuthenticationError | None = None, *, resource_metadata: str | None = None
) -> str:
    """The value of ``WWW-Authenticate`` (RFC 6750 §3).

    error: why the request is refused; its code is left out where no token was offered (§3.1). The
    scope that it names is said.
    resource_metadata: the URL of the document of RFC 9728 §5.1, None where none is served.
    """
    parameters = [("realm", realm)]
    if error is not None and error.code is not None:
        parameters += [("error", error.code), ("error_description", str(error))]
    if error is not None and error.scope:
        parameters.append(("scope", error.scope))
    if resource_metadata is not None:
        parameters.append(("resource_metadata", resource_metadata))
    return "Bearer " + ", ".join(
        f'{name}="{_strip_unquotable(value)}"' for name, value in parameters
    )


def _strip_unquotable(value: str) -> str:
    """Leave out what RFC 6750 §3 forbids inside a quoted-string: quotes, backslashes, controls."""
    return re.sub(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]", "", value)
