"""Warnings for the log at start, about settings that are allowed but seldom meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ..auth.issuers.issuer import TrustedIssuer
from ..auth.issuers.issuer_urls import TENANT_PLACE, is_loopback_host
from ..networks import find_everyone
from ..settings.server import Settings
from ..wording import cut, find_closest, make_printable, suggest
from .converters import mask_url
from .option_value import OptionValue
from .table import OPTIONS

#: What --dev prints for kmsctl. A server that is started from the same terminal finds them, and has no use
#: for them.
_OF_THE_CLIENT = frozenset({"KMS_URL", "KMS_TOKEN"})


def find_unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Warnings about unknown variables.

    They are no errors: Kubernetes sets KMS_SERVICE_HOST and others for a service "kms".
    """
    known = [option.variable for option in OPTIONS]
    for name in sorted(environ):
        if not name.startswith("KMS_") or name in known or not environ[name]:
            continue
        if name in _OF_THE_CLIENT:
            continue
        if re.fullmatch(r"KMS_(SERVICE|PORT)_[A-Z0-9_]+", name):
            continue
        hint = suggest(find_closest(name, known))
        yield f"{make_printable(cut(name))} (environment): unknown variable, not read{hint}"


def find_warnings(settings: Settings, values: Mapping[str, OptionValue]) -> Iterator[str]:
    """What the settings mean that was perhaps not meant. values: of all options, by name.

    A missing audience and a missing token check are not among the warnings. The token layer gives those itself when it
    starts, so that applications which embed it get them, too.
    """

    def warning(name: str, text: str) -> str:
        return f"--{name} ({values[name].place}): {text}"

    if settings.insecure_no_auth:
        for name in values:
            if name.startswith(("jwt-", "jwks-")) and values[name].source != "default":
                yield warning(name, "has no effect with --insecure-no-auth")
    elif values["default-username"].source != "default":
        yield warning("default-username", "has no effect without --insecure-no-auth")
    for name, why in _find_useless(settings, values):
        yield warning(name, f"has no effect {why}")
    yield from _find_joined(values)
    tenants = values["jwt-tenants"]
    if tenants.value and not any(issuer.tenants for issuer in _list_issuers(settings)):
        yield warning("jwt-tenants", f"has no effect: no issuer has {TENANT_PLACE} in it")
    if settings.dev and settings.policy.namespace_by_issuer and settings.service.data_dir:
        text = "the issuer of --dev has another name after each start, and users with it: nobody finds their keys again"
        yield warning("jwt-user-namespace", text)
    for name, text in _find_exposures(settings, values):
        yield warning(name, text)
    if settings.refresh.interval_s < settings.refresh.cooldown_s:
        yield warning(
            "jwks-refresh-interval", "shorter than --jwks-cooldown, which takes precedence"
        )


def _find_useless(
    settings: Settings, values: Mapping[str, OptionValue]
) -> Iterator[tuple[str, str]]:
    """(option that is set, why it has no effect) for those that another one turns off."""
    kmip = [name for name in values if name.startswith("kmip-") and name != "kmip-interop"]
    of_remote_keys = ("jwks-ca-file", "jwks-allow-http")
    is_off = {
        **dict.fromkeys(kmip, (not settings.has_kmip, "without --kmip-port")),
        **dict.fromkeys(of_remote_keys, (settings.dev, "with --dev, whose issuer is here")),
        "ui-client-id": (not settings.has_ui, "without --ui"),
        "jwt-dpop-nonce": (
            settings.policy.bound_tokens == "off",
            "with --jwt-bound-tokens off",
        ),
    }
    for name, (is_useless, why) in is_off.items():
        if is_useless and values[name].source != "default" and values[name].value:
            yield name, why


def _find_exposures(
    settings: Settings, values: Mapping[str, OptionValue]
) -> Iterator[tuple[str, str]]:
    """(option, the risk) for each setting that leaves something open to others."""
    if (
        settings.tls_cert_file is None
        and not settings.trusted_proxies
        and not is_loopback_host(settings.hostname)
    ):
        yield (
            "hostname",
            "NO TLS: everybody on the way reads the bearer tokens and the keys; set --tls-cert-file and "
            "--tls-key-file, or name the proxies that add TLS with --trusted-proxies",
        )
    if settings.public_url.startswith("http:") and not is_loopback_host(
        urlsplit(settings.public_url).hostname
    ):
        yield "public-url", "clients that follow it send their bearer tokens in clear text"
    if everyone := find_everyone(settings.trusted_proxies):
        yield (
            "trusted-proxies",
            f"EVERYBODY IS TRUSTED ({everyone}): any client chooses the address that the log and the limits "
            "know it by; name the proxies' own networks",
        )
    database_url = values["database-url"]
    if database_url.source == "flag" and mask_url(database_url.value) != database_url.value:
        yield (
            "database-url",
            "everybody on this host can read its password in the list of processes",
        )


def _find_joined(values: Mapping[str, OptionValue]) -> Iterator[str]:
    """Several values that were written as one, as the environment has them. One with a = may be a name of a directory."""
    for option in OPTIONS:
        value = values[option.name]
        if not option.repeatable or value.source not in ("flag", "file"):
            continue
        if any(option.separator in text and "=" not in text for text in value.as_toml):
            separator = {",": "commas", ";": "semicolons"}[option.separator]
            text = f"one value has {separator}, which separate values in the environment alone"
            yield f"{option.label} ({value.place}): {text}"


def _list_issuers(settings: Settings) -> tuple[TrustedIssuer, ...]:
    return () if settings.trust is None else settings.trust.issuers
