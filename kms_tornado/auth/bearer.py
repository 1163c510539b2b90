"""The ``Authorization`` request header and the ``WWW-Authenticate`` challenges (RFC 6750 §2.1, §3, RFC 9449 §7.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import AuthenticationError, InvalidRequest, MissingToken

# b64token of RFC 6750 §2.1.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# The characters of a compact JWS.
_COMPACT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
# An authentication scheme is a token (RFC 9110 §11.1, §5.6.2).
_SCHEME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class OfferedToken(NamedTuple):
    """The token that a request offers, and the scheme by which it came: one of SCHEMES."""

    scheme: str
    token: str


#: RFC 6750 §2.1, RFC 9449 §7.1.
BEARER, DPOP = SCHEMES = ("Bearer", "DPoP")
_SCHEMES_IN_LOWER_CASE = {scheme.lower(): scheme for scheme in SCHEMES}


def parse_authorization(values: Sequence[str], schemes: Sequence[str] = (BEARER,)) -> OfferedToken:
    """The token of a request, and the scheme by which it came.

    values: the values of its ``Authorization`` headers, in the order received.
    schemes: the schemes that are accepted here.
    Raises MissingToken where there is no token or its scheme is another one; InvalidRequest where there are two
    headers, or where no b64token (RFC 6750 §2.1) follows the scheme.
    """
    if not values:
        raise MissingToken("no Authorization header")
    if len(values) > 1:
        # Two proxies on the way may each have relied on a different one; nothing says which counts.
        raise InvalidRequest("more than one Authorization header")
    scheme, _, token = values[0].strip(" \t").partition(" ")
    known = _SCHEMES_IN_LOWER_CASE.get(scheme.lower())
    if known is None or known not in schemes:
        if not _SCHEME.fullmatch(scheme):  # "", "Bearer,", "Bearer:x", "Bearer<tab>x"
            raise InvalidRequest("the header does not start with a scheme")
        raise MissingToken(f"the scheme is not {' or '.join(schemes)}")
    token = token.lstrip(" ")  # 1*SP
    if not is_bearer_token(token):
        error = InvalidRequest("no b64token follows the scheme")
        error.scheme = known
        raise error
    return OfferedToken(known, token)


def has_bearer_scheme(value: str) -> bool:
    """Whether the value of an ``Authorization`` header carries a token, bound or not.

    No browser sends such a header unasked. The credentials of other schemes (Basic, Negotiate) are sent by browsers
    of their own accord.
    """
    return value.lstrip(" \t")[:7].lower().startswith(("bearer ", "dpop "))


def is_bearer_token(text: str) -> bool:
    """Whether the text is a b64token (RFC 6750 §2.1), which a header can carry."""
    return is_compact(text) or _TOKEN.fullmatch(text) is not None


def is_compact(token: str) -> bool:
    """Whether a token consists of the characters of a compact JWS alone, and so is a b64token as well.

    This is three times as fast as matching the grammar of b64token, which only the other tokens then need.
    """
    return token != "" and token.isascii() and not token.encode().translate(None, _COMPACT)


@dataclass(frozen=True, slots=True)
class ChallengeFacts:
    """What a challenge says about this resource.

    algorithms: the algorithms by which DPoP proofs may be signed; empty where only bearer tokens are accepted.
    scope: the scopes that the request needs, separated by spaces; empty where it needs none.
    resource_metadata: the URL of the metadata document (RFC 9728 §5.1); None where none is served.
    """

    realm: str = ""
    algorithms: Sequence[str] = ()
    scope: str = ""
    resource_metadata: str | None = None


def format_challenges(facts: ChallengeFacts, error: AuthenticationError | None = None) -> list[str]:
    """The values of ``WWW-Authenticate``: one for each scheme that is accepted (RFC 6750 §3, RFC 9449 §7.1).

    error: the reason why the request is refused. It appears in the challenge of its own scheme; its code is left out
    where no token was offered (RFC 6750 §3.1).
    """
    schemes = SCHEMES if facts.algorithms else (BEARER,)
    return [_format_challenge(scheme, facts, error) for scheme in schemes]


def _format_challenge(scheme: str, facts: ChallengeFacts, error: AuthenticationError | None) -> str:
    parameters = [("realm", facts.realm)]
    if scheme == DPOP:
        parameters.append(("algs", " ".join(facts.algorithms)))
    if error is not None and error.code is not None and error.scheme == scheme:
        parameters += [("error", error.code), ("error_description", str(error))]
    if facts.scope:
        parameters.append(("scope", facts.scope))
    if facts.resource_metadata is not None:
        parameters.append(("resource_metadata", facts.resource_metadata))
    return f"{scheme} " + ", ".join(
        f'{name}="{_strip_unquotable(value)}"' for name, value in parameters
    )


def _strip_unquotable(value: str) -> str:
    """Leave out what RFC 6750 §3 forbids inside a quoted-string: quotes, backslashes, controls."""
    return re.sub(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]", "", value)
