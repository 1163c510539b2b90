"""The issuer's endpoints: as they are configured, the others as its metadata names them.

OpenID Connect Discovery 1.0 §4, and RFC 8414 §3 for issuers that publish only that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from authlib.oauth2.rfc8414 import get_well_known_url as oauth_well_known_url
from authlib.oidc.discovery import get_well_known_url as openid_well_known_url

from ... import lenient_json, strict_json
from ...lenient_json import LenientObject
from .issuer_transport import check_is_protected
from .login_errors import LoginFailed, one_line

#: What an id token may be signed with; symmetric algorithms would make the client's id a key.
SIGNATURE_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    | {"ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerMetadata:
    """What the flows need to know about an issuer. None and empty values mean that it does not have or state it."""

    issuer: str | None = None
    authorize_url: str | None = None
    token_url: str | None = None
    device_authorization_url: str | None = None
    revocation_url: str | None = None
    jwks_url: str | None = None
    names_itself: bool = False  #: the parameter `iss` of authorization responses, RFC 9207
    scopes: frozenset[str] = frozenset()
    auth_methods: frozenset[str] = frozenset({"client_secret_basic"})  # RFC 8414 §2's default
    algorithms: frozenset[str] = SIGNATURE_ALGORITHMS
    proof_algorithms: frozenset[str] = frozenset()  #: of DPoP proofs, RFC 9449 §5.1

    def __post_init__(self) -> None:
        for url in (
            self.authorize_url,
            self.token_url,
            self.device_authorization_url,
            self.revocation_url,
            self.jwks_url,
        ):
            if url is not None:
                check_is_protected(url)

    def auth_method(self, client_secret: str | None) -> str:
        """How the client identifies itself; a public client does so by its ID alone."""
        if client_secret is None:
            return "none"
        if "client_secret_basic" in self.auth_methods:
            return "client_secret_basic"
        return "client_secret_post"


def discover(session: Any, issuer: str) -> IssuerMetadata:
    """Fetch and check the metadata of an issuer."""
    check_is_protected(issuer)
    for url in (
        openid_well_known_url(issuer, external=True),
        oauth_well_known_url(issuer, external=True),
    ):
        answer = session.get(url, withhold_token=True)
        if answer.status_code == 200:
            return parse_metadata(answer, issuer)
    raise LoginFailed(
        f"{issuer} publishes no metadata (HTTP {answer.status_code}): check the issuer, or "
        "configure authorize_url and token_url"
    )


def fetch_key_set(session: Any, metadata: IssuerMetadata) -> Mapping[str, Any] | None:
    """The keys with which the issuer signs; None where only URLs are configured, and no issuer."""
    if metadata.issuer is None:
        return None
    if metadata.jwks_url is None:
        raise LoginFailed(f"the metadata of {metadata.issuer} names no key set (jwks_uri)")
    answer = session.get(metadata.jwks_url, withhold_token=True)
    if answer.status_code != 200:
        raise LoginFailed(f"the issuer's key set is not there (HTTP {answer.status_code})")
    return _read_document(answer, "the issuer's key set")


def parse_metadata(answer: Any, issuer: str) -> IssuerMetadata:
    document = _read_document(answer, "the issuer's metadata")
    stated_issuer = text(document, "issuer")
    if stated_issuer != issuer:
        # Another issuer's metadata would send codes and refresh tokens there: RFC 8414 §3.3.
        raise LoginFailed(
            f"the metadata at {issuer} is that of {one_line(str(stated_issuer))}: configure the issuer "
            "exactly as it names itself"
        )
    algorithms = strings(document, "id_token_signing_alg_values_supported")
    return IssuerMetadata(
        issuer=issuer,
        authorize_url=text(document, "authorization_endpoint"),
        token_url=text(document, "token_endpoint"),
        device_authorization_url=text(document, "device_authorization_endpoint"),
        revocation_url=text(document, "revocation_endpoint"),
        jwks_url=text(document, "jwks_uri"),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        scopes=strings(document, "scopes_supported"),
        auth_methods=strings(document, "token_endpoint_auth_methods_supported")
        or frozenset({"client_secret_basic"}),
        algorithms=SIGNATURE_ALGORITHMS & algorithms or SIGNATURE_ALGORITHMS,
        proof_algorithms=strings(document, "dpop_signing_alg_values_supported"),
    )


def _read_document(answer: Any, what: str) -> Mapping[str, Any]:
    """The object in a document of the issuer, read as leniently as the server does it.

    Oddities in members that nobody reads do no harm; `text` refuses them in members that count.
    """
    return _require_object(answer.content, what, lenient_json.loads)


def json_object(answer: Any, what: str) -> Mapping[str, Any]:
    """The object in an answer of the issuer. A page of HTML in its place is a common mistake."""
    return _require_object(answer.content, what, partial(strict_json.loads, max_depth=20))


def _require_object(content: bytes, what: str, loads: Callable[[bytes], Any]) -> Mapping[str, Any]:
    try:
        document = loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise LoginFailed(f"{what} is no JSON object: check the issuer's URL")
    return document


def text(document: Mapping[str, Any], name: str) -> str | None:
    is_same_twice = isinstance(document, LenientObject) and document.repeated.get(name)
    if not is_same_twice and (problem := lenient_json.find_oddity(document, name)):
        raise LoginFailed(f"the issuer's answer cannot be used: {problem}")
    value = document.get(name)
    if value is None or isinstance(value, str):
        return value
    raise LoginFailed(f"{name} in the issuer's answer is no text: check the issuer's URL")


def strings(document: Mapping[str, Any], name: str) -> frozenset[str]:
    value = None if lenient_json.find_oddity(document, name) else document.get(name)
    return (
        frozenset(v for v in value if isinstance(v, str))
        if isinstance(value, list)
        else frozenset()
    )
