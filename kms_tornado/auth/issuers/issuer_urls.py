"""Names of issuers and URLs of their keys: which ones may be configured or discovered."""

from __future__ import annotations

import re
from collections.abc import Container
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from ...errors import ConfigurationError

#: What stands for the tenant in an issuer that has many, as Entra ID writes it.
TENANT_PLACE = "{tenantid}"
_TENANT_ID = re.compile(r"(\{|%7b)tenant_?id(\}|%7d)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"[{}<>]|%7[bd]|%3[ce]", re.IGNORECASE)
#: Hosts and paths where users of any tenant sign in; their tokens name the issuer of their own tenant.
_ENTRA_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
_ENTRA_ALIASES = (["common"], ["organizations"], ["consumers"])
#: Where an issuer's documents are; some guides call that address the issuer's.
_DOCUMENT = re.compile(
    r"/\.well-known/(openid-configuration|oauth-authorization-server|jwks\.json)"
)
#: RFC 3986 §3.2.2 lets them stand in a name, and no name of a host has them: two URLs were written as one, or a pattern.
_NOT_IN_HOSTS = re.compile(r"[,;*=+!$&'()]")
#: RFC 3986 §3, leniently: a scheme, and no character that occurs in no URI.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\"\\^`]*")
_MAX_ISSUER_LENGTH = 1024


def is_host(text: str) -> bool:
    """Whether it can be a host name, or is an address, without the brackets that stand around one in a URL."""
    try:
        ip_address(text)
    except ValueError:
        return re.fullmatch(r"[^\s/:@\[\]*]+", text) is not None and has_name_form(text)
    return True


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


def has_name_form(host: str) -> bool:
    """Whether a name service can be asked for it: `socket` raises UnicodeError for labels that are empty or too long."""
    if host.isascii():
        return all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def normalise_host(host: str) -> str:
    """One spelling of each: in lower case, an address of IPv6 as RFC 5952 has it and without brackets."""
    bare = host.lower().strip("[]")
    try:
        return str(ip_address(bare))
    except ValueError:
        return bare


def find_origin(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an http or https URL, None for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in {"https", "http"} or not host:
        return None
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)


def check_issuer_url(
    url: str, what: str, *, issuer: str | None = None, http_hosts: Container[str] = ()
) -> None:
    """Refuse every URL that is not https, except where http is certain to be safe.

    Over http, an attacker on the path could answer. It is allowed for loopback hosts if the issuer is on one, too,
    since another issuer must not choose what this machine asks of its own services; and for the hosts that the
    configuration names.

    what: the words with which the ConfigurationError starts.
    issuer: the issuer whose keys are there; None where the URL is the issuer itself.
    http_hosts: the hosts to which http is allowed, as `normalise_host` has them.
    """
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigurationError(f"{what}: the URL contains spaces or control characters")
    parts, host = _split(url, what)
    if parts.scheme not in {"https", "http"} or not host:
        raise ConfigurationError(f"{what}: an https:// URL is needed")
    if parts.scheme == "http" and normalise_host(host) not in http_hosts:
        if not is_loopback_host(host):
            raise ConfigurationError(f"{what}: http is for loopback hosts only, use https")
        if issuer is not None and not is_loopback_host(_find_host(issuer)):
            raise ConfigurationError(f"{what}: http is for issuers on loopback hosts, use https")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{what}: a URL with a user name or password is not accepted")
    if "#" in url:
        raise ConfigurationError(f"{what}: a URL with a fragment is not accepted")


def check_file_url(url: str, what: str) -> None:
    """Refuse every URL but ``file:///`` with an absolute path."""
    parts, _ = _split(url, what)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ConfigurationError(f"{what}: file:/// and an absolute path is needed")
    if "?" in url or "#" in url or "%00" in url:
        raise ConfigurationError(f"{what}: in a file name, ? is %3F and # is %23")


def check_issuer_name(uri: str, what: str) -> None:
    """Refuse a name that is not a StringOrURI (RFC 7519 §2).

    An issuer whose name is only compared may have any other form.
    """
    if not uri or len(uri) > _MAX_ISSUER_LENGTH:
        raise ConfigurationError(f"{what}: 1 to {_MAX_ISSUER_LENGTH} characters are needed")
    if uri != uri.strip() or not uri.isprintable():
        raise ConfigurationError(f"{what}: it has outer spaces or control characters")
    if ":" in uri and not _URI.fullmatch(uri):
        raise ConfigurationError(f"{what}: what has a colon has to be a URI (RFC 7519)")


def check_tenant_place(uri: str, *, has_tenants: bool) -> None:
    """Refuse a ``{tenantid}`` without tenants to fill it, and one that is misspelt."""
    if TENANT_PLACE not in uri and not _TENANT_ID.search(uri):
        return
    if _TENANT_ID.search(uri.replace(TENANT_PLACE, "")):
        raise ConfigurationError(f"issuer URI: write the place of the tenant as {TENANT_PLACE}")
    if not has_tenants:
        raise ConfigurationError(
            f"issuer URI: {TENANT_PLACE} needs the IDs of the tenants that are let in (--jwt-tenants); or name "
            "your own tenant, as https://login.microsoftonline.com/TENANT-ID/v2.0"
        )


def check_token_can_name(uri: str) -> None:
    """Refuse an issuer that no token can name: the server would start, and then refuse every token."""
    if _PLACEHOLDER.search(uri.replace(TENANT_PLACE, "")):
        raise ConfigurationError(
            "issuer URI: braces and angle brackets do not occur in URLs: put your own name there"
        )
    try:
        parts = urlsplit(uri)
    except ValueError:  # for an issuer that is only a name
        return
    if document := _DOCUMENT.search(parts.path):
        raise ConfigurationError(
            f"issuer URI: {document[0]} is the address of a document: write the issuer as the tokens' iss has it, "
            "which mostly is what stands in front of that"
        )
    if parts.hostname in _ENTRA_HOSTS and parts.path.split("/")[1:2] in _ENTRA_ALIASES:
        raise ConfigurationError(
            "issuer URI: no token names it: Entra ID's tokens have the ID of the tenant in this place, so "
            "name yours, as https://login.microsoftonline.com/TENANT-ID/v2.0"
        )


def check_key_set_place(url: str) -> None:
    """Refuse a key set URI that contains a placeholder: it is fetched as it is written."""
    if _TENANT_ID.search(url):
        raise ConfigurationError("key set URI: put your tenant's ID for {tenantid}")
    if _PLACEHOLDER.search(url.partition("?")[0]):
        raise ConfigurationError(
            "key set URI: braces and angle brackets do not occur in URLs: put your own name there"
        )


def _split(url: str, what: str) -> tuple[SplitResult, str | None]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{what}: not a valid URL") from None
    if host and (_NOT_IN_HOSTS.search(host) or not has_name_form(host)):
        raise ConfigurationError(f"{what}: the URL's host is no name and no address")
    return parts, host


def _find_host(uri: str) -> str | None:
    try:
        return urlsplit(uri).hostname
    except ValueError:
        return None
