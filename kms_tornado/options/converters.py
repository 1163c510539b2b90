"""Converters: the text of one option → its value, or ConfigurationError with what is wrong."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..auth.issuers.issuer_urls import check_issuer_name, is_host
from ..auth.tokens.claim_path import check_claim_path
from ..auth.tokens.token_policy import RequiredClaim, TokenPolicy
from ..errors import ConfigurationError
from ..user_names import find_user_fault
from ..wording import mask_queries, quote


def mask_pin(text: str) -> str:
    """A PKCS #11 URI without the PIN that it may contain (RFC 7512); other texts unchanged."""
    return re.sub(r"(?i)(pin-value=)[^&]*", r"\1***", text) if text.startswith("pkcs11:") else text


def parse_issuer_uri(text: str) -> str:
    """The URI of an issuer. Whether it has to be a URL depends on the key set URI."""
    try:
        check_issuer_name(text, "issuer URI")
    except ConfigurationError as exc:
        raise ConfigurationError(exc.text.removeprefix("issuer URI: ")) from None
    return text


def parse_key_id(text: str) -> bytes:
    """The identifier of a master key, in hexadecimal. Raises ConfigurationError."""
    try:
        key_id = bytes.fromhex(text)
    except ValueError:
        key_id = b""
    if len(key_id) != 8:
        raise ConfigurationError(
            f"{quote(text)} is no identifier of a master key, as 361527f1fff86758 is one"
        )
    return key_id


def parse_time(text: str) -> int:
    """A date or time of RFC 3339 in milliseconds since the Unix epoch; in UTC, unless it says otherwise.

    Raises ConfigurationError.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ConfigurationError("is no time such as 2026-11-29T11:45:00Z or 2026-11-29") from None


def parse_auth_provider(text: str) -> dict[str, Any]:
    """``ISSUER,JWKS_URI,AUD…`` as fields of TrustedIssuer: all but the issuer may be empty or left out."""
    uri, jwks_uri, *audiences = (part.strip() for part in f"{text},".split(","))
    if not uri:
        raise ConfigurationError("the issuer is missing: ISSUER,JWKS_URI,AUD…")
    return {
        "uri": uri,
        "jwks_uri": jwks_uri or None,
        "audiences": frozenset(filter(None, audiences)),
    }


def mask_auth_provider(text: str) -> str:
    """As `mask_queries`, for ``ISSUER,JWKS_URI,AUD…``."""
    return ",".join(map(mask_queries, text.split(",")))


def parse_algorithm(text: str) -> str:
    TokenPolicy(algorithms=frozenset({text}))  # refuses those that cannot be allowed
    return text


def parse_token_type(text: str) -> str | None:
    """A value of ``typ``; None for the word that stands for a header without ``typ``."""
    return None if text.lower() == "absent" else parse_name(text)


def parse_claim_path(text: str) -> str:
    try:
        check_claim_path(parse_name(text), "claim")
    except ConfigurationError as exc:
        raise ConfigurationError(str(exc).removeprefix("claim: ")) from None
    return text


def parse_required_claim(text: str) -> RequiredClaim:
    """``NAME=VALUE`` or ``NAME=A|B``.

    A number or boolean in JSON's form counts as such; `"5"` with quotes is a string.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError("needs NAME=VALUE")
    alternatives = _split_alternatives(value)
    if len(alternatives) == 1:
        return RequiredClaim(name.strip(), _parse_claim_value(value))
    if "" in alternatives:
        raise ConfigurationError("there is nothing beside a |; put a value that has one in quotes")
    return RequiredClaim(name.strip(), tuple(map(_parse_claim_value, alternatives)))


def _split_alternatives(text: str) -> list[str]:
    """The parts between the bars, except for bars in a JSON string."""
    parts = [""]
    for piece in re.findall(r'"(?:[^"\\]|\\.)*"|.', text):
        if piece == "|":
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _parse_claim_value(text: str) -> str | int | float | bool:
    if text in {"true", "false"}:
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", text, re.ASCII) and len(text) <= 20:
        return int(text)
    if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", text, re.ASCII):
        number = float(text)
        if abs(number) == float("inf"):
            raise ConfigurationError("the number is too large; put it in quotes for a string")
        return number
    if text.startswith('"'):
        try:
            string = json.loads(text)
        except ValueError:
            return text
        if isinstance(string, str):
            return string
    return text


def parse_user(text: str) -> str:
    """A name that a token could contain, possibly with its issuer in front."""
    if fault := find_user_fault(text):
        raise ConfigurationError(f"{quote(text)} {fault}")
    return text


def parse_client_id(text: str) -> str:
    """The name under which an issuer knows the page (RFC 6749 appendix A.1)."""
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", text):
        raise ConfigurationError(
            f"{quote(text)} is no client ID: up to 255 printable ASCII characters"
        )
    return text


def parse_host(text: str) -> str:
    """A name or an address; ``[::1]`` is ``::1``, as in URLs."""
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    if not is_host(bare):
        raise ConfigurationError(f"{quote(text)} is not a host name or an address")
    return bare


def parse_listen_address(text: str) -> tuple[str, int]:
    """``HOST:PORT``, an IPv6 address in brackets."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host or (":" in host and not host.startswith("[")):
        raise ConfigurationError(f"{quote(text)}: write it as 127.0.0.1:9100 or [::1]:9100")
    if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or int(port) > 65535:
        raise ConfigurationError(f"{quote(text)}: the port is not 0 to 65535")
    return parse_host(host), int(port)


def parse_name(text: str) -> str:
    """A text that is compared with what a token has, character by character."""
    if text != text.strip():
        raise ConfigurationError(f"{quote(text)} begins or ends with a space")
    return text


def parse_path(text: str) -> Path:
    """The path of a file or directory that may not exist yet: whatever is written here would be made."""
    if text.startswith(("~", "$")):
        raise ConfigurationError(
            f"{quote(text)} begins with a {text[0]}, which nothing expands here: write the whole path"
        )
    return Path(text)


def parse_readable_file(text: str) -> Path:
    """The path of an existing file. It is not opened here: it may be a pipe, which can be read only once."""
    path = Path(text)
    try:
        path.stat()
    except OSError as exc:
        raise ConfigurationError(f"cannot read {text}: {exc.strerror}") from None
    if path.is_dir() or not os.access(path, os.R_OK):
        raise ConfigurationError(f"cannot read {text}: not a readable file")
    return path


def mask_url(text: str) -> str:
    """A URL without its password, for people to read.

    Masks too much rather than too little: a password may contain a / or @ that nobody escaped.
    """
    scheme, separator, rest = text.partition("://")
    user_info, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = user_info.partition(":")
        rest = f"{user}{':***' if colon else ''}@{place}"
    # libpq decodes names, takes a # for part of a value, and reads "password = x" without a URL, too.
    parameter = r"(?i)((?:^|[?&\s])(?!passfile=)[^=&\s?/:]*(?:pass|pwd|secret|token|%)[^=&\s?/:]*\s*=\s*)[^&]*"
    return re.sub(parameter, r"\1***", f"{scheme}{separator}{rest}")
