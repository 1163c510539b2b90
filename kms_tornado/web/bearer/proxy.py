"""The outgoing proxy: which one the environment names for a URL, and how requests go through it."""

from __future__ import annotations

import contextlib
import ssl
import urllib.request
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from tornado.httpclient import AsyncHTTPClient

from ...auth.issuers.issuer_urls import is_loopback_host
from ...errors import ConfigurationError

#: The most fetches at once. Tornado queues further ones, and issuers that do not answer would hold up all others.
_MAX_FETCHES = 500
_MISSING = (
    "a proxy needs the extra 'proxy': pip install 'kms-tornado[proxy]'; "
    "or exempt the host in NO_PROXY"
)


_CA_CACHE_TIMEOUT = 321  # CURLOPT_CA_CACHE_TIMEOUT, a day by default; pycurl has no name for it


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, with the credentials of its URL."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def find_proxy(url: str) -> Proxy | None:
    """The proxy that HTTPS_PROXY names for an https URL; None for a host in NO_PROXY or on loopback.

    Raises ConfigurationError where HTTPS_PROXY is not an http:// URL.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or is_loopback_host(parts.hostname):
        return None
    proxies = getproxies_environment()
    configured = proxies.get("https")
    if not configured or _is_exempt(parts.netloc, parts.hostname or "", proxies):
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
    """Raise ConfigurationError where the URL needs a proxy and the extra `proxy` is not installed.

    Tornado's own client supports no proxies, and a request that bypassed the proxy would only time out.
    """
    if find_proxy(url) is not None and find_spec("pycurl") is None:
        raise ConfigurationError(f"HTTPS_PROXY: {urlsplit(url).hostname}: {_MISSING}")


def make_proxy_client(max_body_size: int) -> AsyncHTTPClient:
    """Tornado's client on libcurl. Raises ConfigurationError without the extra `proxy`."""
    try:
        from tornado.curl_httpclient import CurlAsyncHTTPClient
    except ImportError:
        raise ConfigurationError(_MISSING) from None
    return CurlAsyncHTTPClient(
        force_instance=True, max_body_size=max_body_size, max_clients=_MAX_FETCHES
    )


def build_proxy_arguments(proxy: Proxy, ca_file: str | None) -> dict[str, Any]:
    """Arguments of HTTPRequest for libcurl, which accepts a CA file and no SSLContext."""
    return {
        "proxy_host": proxy.host,
        "proxy_port": proxy.port,
        "proxy_username": proxy.username,
        "proxy_password": proxy.password,
        # The same roots as without a proxy: those in libcurl's wheel are not the system's.
        "ca_certs": ca_file or ssl.get_default_verify_paths().cafile,
        "prepare_curl_callback": _forget_the_last_request,
    }


def _forget_the_last_request(curl: Any) -> None:
    """Have libcurl make a new connection and a new TLS session, and read the CA file, for this request.

    Otherwise it may reuse a connection that was made under a CA which has been removed since.
    """
    import pycurl

    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    with contextlib.suppress(pycurl.error):  # before libcurl 7.87 there is neither cache nor option
        curl.setopt(_CA_CACHE_TIMEOUT, 0)


def _is_exempt(netloc: str, host: str, proxies: dict[str, str]) -> bool:
    """Whether NO_PROXY exempts the host, by the rules of Python's own clients or by a network with its address.

    curl and Go accept networks in NO_PROXY, and clusters set them.
    """
    # typeshed lacks it.
    if urllib.request.proxy_bypass_environment(netloc, proxies):  # type: ignore[attr-defined]
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(_holds(entry.strip(), address) for entry in proxies.get("no", "").split(","))


def _holds(entry: str, address: IPv4Address | IPv6Address) -> bool:
    """Whether the entry is this address, or a network that contains it."""
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:  # a name
        return False
