"""URLs of issuers and of their keys: which ones may be configured, or discovered."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..errors import ConfigurationError

TENANT_ID = re.compile(r"(\{|%7b)tenant_?id(\}|%7d)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"[{}<>]|%7[bd]|%3[ce]", re.IGNORECASE)
#: Addresses at which users of any tenant sign in; the tokens that they get have their own tenant's issuer.
_ENTRA_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
_ENTRA_ALIASES = (["common"], ["organizations"], ["consumers"])


def is_loopback_host(host: str | None) -> bool:
    """Whether the host of a URL is certainly this machine; no resolver is asked."""
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_issuer_url(url: str, what: str) -> None:
    """Refuse all but https, and http on a loopback host: an attacker on the path could answer.

    what: the words with which the ConfigurationError starts.
    """
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigurationError(f"{what}: the URL contains spaces or control characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{what}: not a valid URL") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise ConfigurationError(f"{what}: an https:// URL is needed")
    if parts.scheme == "http" and not is_loopback_host(host):
        raise ConfigurationError(f"{what}: http is for loopback hosts only, use https")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{what}: a URL with a user name or password is not accepted")
    if "#" in url:
        raise ConfigurationError(f"{what}: a URL with a fragment is not accepted")


def check_loopback(url: str, issuer: str, what: str) -> None:
    """Refuse http, which is for loopback hosts, where the issuer is on another host.

    Such an issuer may not choose what this machine asks of its own services. Who configures it may.
    what: the words with which the ConfigurationError starts.
    """
    if urlsplit(url).scheme == "http" and not is_loopback_host(urlsplit(issuer).hostname):
        raise ConfigurationError(f"{what}: http is for issuers on loopback hosts, use https")


def check_for_placeholders(uri: str) -> None:
    """Refuse an issuer that no token can name: the server would start, and refuse everything."""
    if TENANT_ID.search(uri):
        raise ConfigurationError(
            "issuer URI: {tenantid} is not supported: every tenant is an issuer of its own, so name yours, "
            "as https://login.microsoftonline.com/TENANT-ID/v2.0"
        )
    if _PLACEHOLDER.search(uri):
        raise ConfigurationError(
            "issuer URI: braces and angle brackets do not occur in URLs: put your own name there"
        )
    parts = urlsplit(uri)
    if parts.hostname in _ENTRA_HOSTS and parts.path.split("/")[1:2] in _ENTRA_ALIASES:
        raise ConfigurationError(
            "issuer URI: no token names it: Entra ID's tokens have the ID of the tenant in this place, so "
            "name yours, as https://login.microsoftonline.com/TENANT-ID/v2.0"
        )
