"""From what the options were given to `Settings`, or to the mistakes between the options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..auth.issuer import RefreshPolicy, TokenPolicy, TrustedIssuer, TrustSettings
from ..errors import ConfigurationError
from ..settings import InconsistentSettings, Settings
from .option_value import Given, Mistakes
from .table import BY_NAME

#: {field of Settings: the options that it comes from, where its name does not say so}
_OPTIONS_OF_FIELD = {
    "trust": ("jwt-issuer-uri", "jwt-auth-provider"),
    "shutdown_timeout_s": ("shutdown-timeout",),
    "cache_size": ("jwt-cache-size",),
}


def assemble(given: Mapping[str, Given], mistakes: Mistakes) -> Settings | None:
    """Settings, or None where the options do not go together, which is noted.

    given: {name: what it was given} of every option.
    """
    value = {name: one.value for name, one in given.items()}
    policy, refresh, cache_size = _policy(value), _refresh(value), value["jwt-cache-size"]
    # With --dev, unless told otherwise, the data go to a temporary directory.
    is_temporary = value["dev"] and given["data-dir"].source == "default"
    trust = None
    issuers = _issuers(given, mistakes)
    if issuers:
        try:
            trust = TrustSettings(issuers, policy, refresh, cache_size)
        except ConfigurationError as exc:  # the same issuer twice
            _refuse(given, mistakes, str(exc), "jwt-auth-provider", "jwt-issuer-uri")
            mistakes.names.update(_OPTIONS_OF_FIELD["trust"])
    try:
        return Settings(
            trust=trust,
            insecure_no_auth=value["insecure-no-auth"],
            default_username=value["default-username"],
            dev=value["dev"],
            hostname=value["hostname"],
            port=value["port"],
            tls_cert_file=value["tls-cert-file"],
            workers=value["workers"],
            tls_key_file=value["tls-key-file"],
            clients_ca_cert_file=value["clients-ca-cert-file"],
            max_body_size=value["max-body-size"],
            shutdown_timeout_s=value["shutdown-timeout"],
            log_level=value["log-level"],
            log_format=value["log-format"],
            metrics=value["metrics"],
            data_dir=None if is_temporary else value["data-dir"],
            database_url=value["database-url"],
            master_key_file=value["master-key-file"],
            master_key=value["master-key"],
            privileged_users=frozenset(value["privileged-users"]),
            crypto_policy=value["crypto-policy"],
            kmip_interop=value["kmip-interop"],
            policy=policy,
            refresh=refresh,
            cache_size=cache_size,
        )
    except InconsistentSettings as exc:
        for fields, text in exc.faults:
            names = (_OPTIONS_OF_FIELD.get(f, (f.replace("_", "-"),)) for f in fields)
            _refuse(given, mistakes, text, *(name for several in names for name in several))
        return None


def _policy(value: Mapping[str, Any]) -> TokenPolicy:
    return TokenPolicy(
        algorithms=frozenset(value["jwt-algorithms"]),
        leeway_s=value["jwt-leeway"],
        max_age_s=value["jwt-max-age"],
        user_claim=value["jwt-user-claim"],
        allow_unverified_email=value["jwt-allow-unverified-email"],
        namespace_by_issuer=value["jwt-user-namespace"] == "issuer",
        token_types=frozenset(value["jwt-token-types"]),
        required_claims=value["jwt-required-claim"],
    )


def _refresh(value: Mapping[str, Any]) -> RefreshPolicy:
    ca_file = value["jwks-ca-file"]
    return RefreshPolicy(
        interval_s=value["jwks-refresh-interval"],
        cooldown_s=value["jwks-cooldown"],
        timeout_s=value["jwks-timeout"],
        max_stale_s=value["jwks-max-stale"],
        ca_file=None if ca_file is None else str(ca_file),
    )


def _issuers(given: Mapping[str, Given], mistakes: Mistakes) -> tuple[TrustedIssuer, ...]:
    """The issuer of --jwt-issuer-uri and those of --jwt-auth-provider."""
    uri, jwks_uri = given["jwt-issuer-uri"].value, given["jwks-uri"].value
    audiences = given["jwt-audience"].value
    first: tuple[TrustedIssuer, ...] = ()
    if uri is not None:
        first = (TrustedIssuer(uri, jwks_uri, frozenset(audiences)),)
    else:
        if jwks_uri is not None:
            _refuse(given, mistakes, "needs --jwt-issuer-uri", "jwks-uri", "jwt-issuer-uri")
        if audiences:
            # Whoever sets it expects a check that would not be made.
            text = (
                "belongs to --jwt-issuer-uri, which is not set; "
                "--jwt-auth-provider has its own audiences"
            )
            _refuse(given, mistakes, text, "jwt-audience", "jwt-issuer-uri")
    issuers = (*first, *given["jwt-auth-provider"].value)
    if len({issuer.uri for issuer in issuers}) > 1 and given["jwt-user-namespace"].value is None:
        text = "must be shared or issuer when there is more than one issuer"
        names = ("jwt-user-namespace", "jwt-issuer-uri", "jwt-auth-provider")
        _refuse(given, mistakes, text, *names)
    return issuers


def _refuse(given: Mapping[str, Given], mistakes: Mistakes, text: str, *names: str) -> None:
    """Note what is wrong between these options, the one to change first."""
    if mistakes.names.isdisjoint(names):  # else it may be a mere consequence
        mistakes.add(BY_NAME[names[0]].label, given[names[0]].place, text)
