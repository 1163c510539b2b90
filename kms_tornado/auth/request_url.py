"""URLs of requests in the form in which a DPoP proof's ``htu`` is compared (RFC 9449 §4.3, RFC 3986 §6.2.2, §6.2.3)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
#: Characters of a URI (RFC 3986 §2).
_URL = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.IGNORECASE)


@lru_cache(1024)  # clients ask for few, again and again
def normalise_url(url: str, *, removes_dots: bool = False) -> str | None:
    """Scheme, host, port and path of an http or https URL; None where the text is not such a URL, or names a user.

    Query and fragment are left out. Scheme and host are in lower case, the scheme's own port is left out, escaped
    unreserved characters are unescaped, and all other escapes are in upper case.

    removes_dots: whether the segments ``.`` and ``..`` are resolved, as clients do before they send a request. In the
    URL of a received request they stay: a server may have looked for something below ``..``.
    """
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    if not host or "@" in parts.netloc:
        return None
    if ":" in host:
        host = f"[{host}]"
    suffix = "" if port is None or str(port) == _DEFAULT_PORTS[scheme] else f":{port}"
    path = _ESCAPE.sub(_normalise_escape, parts.path) or "/"
    if removes_dots:
        path = _remove_dots(path)
    return f"{scheme}://{host}{suffix}{path}"


def _normalise_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _remove_dots(path: str) -> str:
    """Resolve the segments ``.`` and ``..`` of an absolute path (RFC 3986 §5.2.4)."""
    if "/." not in path:
        return path
    resolved: list[str] = []
    *segments, last = path.split("/")[1:]
    for segment in segments:
        _walk(resolved, segment)
    is_directory = last in (".", "..")
    _walk(resolved, last)
    return "/" + "/".join(resolved) + ("/" if is_directory and resolved else "")


def _walk(resolved: list[str], segment: str) -> None:
    if segment == "..":
        if resolved:
            resolved.pop()
    elif segment != ".":
        resolved.append(segment)
