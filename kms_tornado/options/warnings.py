"""Doubts: what may be meant, but should be known; warnings for the log at start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..auth.issuer import is_loopback_host
from ..settings import Settings
from .option_value import Given
from .table import OPTIONS
from .wording import closest, cut, did_you_mean, printable


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """A warning only: Kubernetes sets KMS_SERVICE_HOST and others beside a service named "kms"."""
    known = [option.variable for option in OPTIONS]
    for name in sorted(environ):
        if not name.startswith("KMS_") or name in known or not environ[name]:
            continue
        if re.fullmatch(r"KMS_(SERVICE|PORT)_[A-Z0-9_]+", name):
            continue
        hint = did_you_mean(closest(name, known))
        yield f"{printable(cut(name))} (environment): unknown variable, not read{hint}"


def doubts(settings: Settings, given: Mapping[str, Given]) -> Iterator[str]:
    """What is allowed and seldom meant. A missing audience and a missing token check are not among
    them: who starts the token layer says that, loudly, in applications that embed it, too.
    """

    def doubt(name: str, text: str) -> str:
        return f"--{name} ({given[name].place}): {text}"

    if settings.insecure_no_auth:
        for name in given:
            if name.startswith(("jwt-", "jwks-")) and given[name].source != "default":
                yield doubt(name, "has no effect with --insecure-no-auth")
    elif given["default-username"].source != "default":
        yield doubt("default-username", "has no effect without --insecure-no-auth")
    if settings.tls_cert_file is None and not is_loopback_host(settings.hostname):
        yield doubt("hostname", "bearer tokens pass in clear text unless a proxy adds TLS")
    if settings.refresh.interval_s < settings.refresh.cooldown_s:
        yield doubt("jwks-refresh-interval", "shorter than --jwks-cooldown, which holds")
