"""The outgoing proxy: which one the environment names for a URL, and whether it can be used."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from ..auth.issuer import is_loopback_host
from ..errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Proxy:
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def proxy_for(url: str) -> Proxy | None:
    """The proxy of HTTPS_PROXY for this https URL, unless NO_PROXY or loopback exempts its host.

    Raises ConfigurationError where HTTPS_PROXY is no http:// URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or is_loopback_host(parts.hostname):
        return None
    proxies = getproxies_environment()
    configured = proxies.get("https")
    if not configured or _is_exempt(parts.netloc, proxies):
        return None
    try:
        proxy = urlsplit(configured if "://" in configured else f"http://{configured}")
        host, port = proxy.hostname, proxy.port
    except ValueError:
        host = port = None
    if not host or proxy.scheme != "http":
        raise ConfigurationError("HTTPS_PROXY: an http:// URL is needed")
    return Proxy(
        host=host,
        port=port or 80,
        username=unquote(proxy.username) if proxy.username else None,
        password=unquote(proxy.password or "") if proxy.username else None,
    )


def check_proxy_can_be_used(url: str) -> None:
    """Raises ConfigurationError where the URL needs a proxy and the extra for it is missing.

    Tornado's own client knows no proxies; asking the issuer past the proxy would only time out.
    """
    if proxy_for(url) is not None and find_spec("pycurl") is None:
        raise ConfigurationError(
            f"HTTPS_PROXY: {urlsplit(url).hostname} is reached through a proxy, which needs the extra "
            "'proxy': pip install 'kms-tornado[proxy]', or exempt the host in NO_PROXY"
        )


def _is_exempt(netloc: str, proxies: dict[str, str]) -> bool:
    """NO_PROXY as Python reads it for its own clients."""
    # Public in effect, but not in typeshed.
    return bool(urllib.request.proxy_bypass_environment(netloc, proxies))  # type: ignore[attr-defined]
