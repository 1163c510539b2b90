"""Connections that are kept and reused, made by urllib3 according to the settings."""

from __future__ import annotations

import ipaddress
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from .answers import bound_answers
from .connection import ConnectionSettings, ProxySettings
from .tls import fingerprint, make_context

#: Connections that are kept open; where more threads ask at once, more are made, and closed afterwards.
#: `AsyncKMSClient` has as many threads. By default a server runs 64 requests of one user at once.
MAX_KEPT = 32


def make_pool(settings: ConnectionSettings) -> urllib3.PoolManager:
    """A manager for connections according to the settings. Raises InvalidSettings."""
    return prepare_pool(settings)()


def prepare_pool(settings: ConnectionSettings) -> Callable[[], urllib3.PoolManager]:
    """What makes such managers, without reading the files of the settings again. Raises InvalidSettings."""
    options: dict[str, Any] = {"maxsize": MAX_KEPT, "retries": False}
    url = urlsplit(settings.server_url)
    if url.scheme == "https":
        options["ssl_context"] = make_context(settings)
        if settings.verified_cert is not None:
            options["assert_fingerprint"] = fingerprint(settings.verified_cert)
            options["assert_hostname"] = False
    proxy = settings.proxy or find_proxy(url.scheme, os.environ)
    if proxy is None or is_excluded(url.hostname or "", proxy.exclusion_list):
        return lambda: bound_answers(urllib3.PoolManager(**options))
    headers = _proxy_headers(proxy)
    return lambda: bound_answers(urllib3.ProxyManager(proxy.url, proxy_headers=headers, **options))


def find_proxy(scheme: str, environ: Mapping[str, str]) -> ProxySettings | None:
    """The proxy in ``https_proxy`` and ``no_proxy``, read as curl does; never one for this machine itself.

    ``HTTP_PROXY`` in capitals is ignored: if a web server runs this program by CGI, it is a request's header.
    """
    names = [f"{scheme}_proxy", "all_proxy"]
    if scheme == "https":
        names[1:1] = ["HTTPS_PROXY"]
    url = next((environ[name] for name in [*names, "ALL_PROXY"] if environ.get(name)), None)
    if url is None:
        return None
    exclusions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return ProxySettings(
        url=url if "://" in url else f"http://{url}",
        exclusion_list=(*exclusions.split(","), *_THIS_MACHINE),
    )


_THIS_MACHINE = ("localhost", "127.0.0.0/8", "::1")


def is_excluded(host: str, exclusions: Iterable[str]) -> bool:
    """Whether the host is reached without the proxy. exclusions: as in `ProxySettings`."""
    host = host.lower().rstrip(".")
    return any(_matches(host, entry.strip().lower()) for entry in exclusions)


def _matches(host: str, entry: str) -> bool:
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = re.sub(r":\d+$", "", entry).strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # a name
        return False


def _proxy_headers(proxy: ProxySettings) -> dict[str, str]:
    if proxy.custom_auth_header is not None:
        return {"Proxy-Authorization": proxy.custom_auth_header}
    url = urlsplit(proxy.url)
    name, password = proxy.basic_auth_username, proxy.basic_auth_password
    if name is None and url.username is not None:
        name, password = unquote(url.username), unquote(url.password or "")
    if name is None:
        return {}
    # Not urllib3's: that takes Latin-1 alone.
    credentials = b64encode(f"{name}:{password}".encode(errors="surrogateescape")).decode()
    return {"Proxy-Authorization": f"Basic {credentials}"}
