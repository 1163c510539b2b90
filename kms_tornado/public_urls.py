"""The URL at which clients find the server, and the path below which an application mounts it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .wording import quote


def parse_public_url(text: str) -> str:
    """The URL in the form in which the server names it, without a slash at its end. Raises ConfigurationError.

    It is repeated in headers, so it must be plain.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ConfigurationError(f"{quote(text)} is no URL") from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise ConfigurationError(f"{quote(text)}: write it as https://kms.example.com")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ConfigurationError("a URL of scheme, host, port and path alone is needed")
    if port == 0 or parts.netloc.endswith(":"):
        raise ConfigurationError(f"{quote(text)} has a port that is none")
    is_address = re.fullmatch(r"\[[0-9A-Fa-f:.]+\](:[0-9]+)?", parts.netloc, re.ASCII)
    if not is_address and not re.fullmatch(r"[A-Za-z0-9._-]+(:[0-9]+)?", parts.netloc, re.ASCII):
        raise ConfigurationError(
            f"{quote(text)}: the host is no name of ASCII letters and no address"
        )
    segments = parts.path.rstrip("/").split("/")[1:]
    if not all(map(_is_plain_segment, segments)):
        raise ConfigurationError(
            f"{quote(text)}: the path has parts that clients would write otherwise"
        )
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}" + "".join(
        f"/{part}" for part in segments
    )


def parse_prefix(text: str) -> str:
    """The path below which an application mounts the KMS, in the form that requests have; empty for the root.

    Raises ValueError.
    """
    if not text:
        return ""
    if not text.startswith("/") or text.endswith("/"):
        raise ValueError("a prefix starts with a slash and does not end with one")
    if not all(map(_is_plain_segment, text[1:].split("/"))):
        raise ValueError(
            f"the prefix {quote(text)} has parts that clients would write otherwise, or none between two slashes"
        )
    return text


def _is_plain_segment(text: str) -> bool:
    """Whether a part of a path needs no escapes (RFC 3986 §3.3). Clients remove dots and escape everything else."""
    is_allowed = re.fullmatch(r"([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+", text, re.ASCII)
    return is_allowed is not None and text not in (".", "..")
