"""What the server is told, as frozen values that refuse nonsense.

Nothing here knows where a value came from: `options` reads flags, environment and file, and puts
that in front of the faults found here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .auth.issuer import (
    RefreshPolicy,
    TokenPolicy,
    TrustedIssuer,
    TrustSettings,
    is_loopback_host,
)
from .errors import ConfigurationError

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
LOG_FORMATS = ("text", "json")
CRYPTO_POLICIES = ("conservative", "permissive")

#: (fields that together make the fault, the one to change first; what is wrong with them)
Fault = tuple[tuple[str, ...], str]


class InconsistentSettings(ConfigurationError):
    """Settings that each may stand, but not together. faults: every one that was found."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fields[0]}: {text}" for fields, text in faults))


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that no log, traceback or --print-config shows."""

    value: str

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the server is told; valid once it exists.

    trust: None with --dev (the server starts its own issuer, see `trust_in`) and with
    --insecure-no-auth, where every request is default_username.
    policy, refresh, cache_size: what `trust` was made with, or what `trust_in` will use.
    data_dir: None only with --dev: a temporary directory.
    master_key_file: None means the file in data_dir. master_key: base64 text, not yet decoded.
    privileged_users: who may create objects; empty means everyone.
    crypto_policy: one of CRYPTO_POLICIES (`crypto.policy`).
    clients_ca_cert_file: only clients with a certificate of one of these CAs are let in.
    workers: processes that share the port; 0 means one per core.
    kmip_interop: whether the operations Interop and Log are offered.

    Raises InconsistentSettings.
    """

    trust: TrustSettings | None = None
    insecure_no_auth: bool = False
    default_username: str = "admin"
    dev: bool = False
    hostname: str = "127.0.0.1"
    port: int = 9998
    workers: int = 1
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    clients_ca_cert_file: Path | None = None
    max_body_size: int = 16 * 1024 * 1024
    shutdown_timeout_s: float = 10.0
    log_level: str = "info"
    log_format: str = "text"
    metrics: bool = False
    data_dir: Path | None = Path("kms-data")
    # may hold a password, so no repr; options masks it for --print-config
    database_url: str = field(default="sqlite:///kms.db", repr=False)
    master_key_file: Path | None = None
    master_key: Secret | None = None
    privileged_users: frozenset[str] = frozenset()
    crypto_policy: str = "conservative"
    kmip_interop: bool = False
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    refresh: RefreshPolicy = field(default_factory=RefreshPolicy)
    cache_size: int = 10_000

    def __post_init__(self) -> None:
        faults = (*_field_faults(self), *_trust_faults(self), *_pair_faults(self))
        if faults:
            raise InconsistentSettings(faults)

    def trust_in(self, issuer: TrustedIssuer) -> TrustSettings:
        """Trust in the throw-away issuer of --dev, under the policy that was configured."""
        return TrustSettings(
            issuers=(issuer,), policy=self.policy, refresh=self.refresh, cache_size=self.cache_size
        )


def _field_faults(settings: Settings) -> Iterator[Fault]:
    """What is nonsense in one field alone. The options' own ranges are as narrow or narrower."""
    if not 0 <= settings.port <= 65535:
        yield ("port",), "0 to 65535"
    if settings.workers < 0:
        yield ("workers",), "not negative"
    if settings.max_body_size < 1:
        yield ("max_body_size",), "at least 1 byte"
    if not 0 <= settings.shutdown_timeout_s < float("inf"):
        yield ("shutdown_timeout_s",), "seconds, not negative"
    if settings.log_level not in LOG_LEVELS:
        yield ("log_level",), f"one of {' '.join(LOG_LEVELS)}"
    if settings.log_format not in LOG_FORMATS:
        yield ("log_format",), f"one of {' '.join(LOG_FORMATS)}"
    if settings.crypto_policy not in CRYPTO_POLICIES:
        yield ("crypto_policy",), f"one of {' '.join(CRYPTO_POLICIES)}"
    if not settings.hostname:
        # Tornado would listen on every interface.
        yield ("hostname",), "a host is needed"
    if not settings.default_username:
        yield ("default_username",), "a name is needed"
    if settings.cache_size < 0:
        yield ("cache_size",), "not negative"


def _trust_faults(settings: Settings) -> Iterator[Fault]:
    """Exactly one of an issuer, --dev and --insecure-no-auth says who a request is from."""
    if settings.trust is None and not settings.dev and not settings.insecure_no_auth:
        yield (
            ("trust", "dev", "insecure_no_auth"),
            "no issuer to trust; set this, --jwt-auth-provider, --dev or --insecure-no-auth",
        )
    if settings.insecure_no_auth and settings.trust is not None:
        yield ("insecure_no_auth", "trust"), "not together with a token issuer"
    if settings.dev and settings.trust is not None:
        # A laptop that takes tokens of the production issuer would be a server, without its care.
        yield ("dev", "trust"), "brings its own token issuer, so no other can be configured"
    if settings.dev and settings.insecure_no_auth:
        yield ("insecure_no_auth", "dev"), "not together with --dev, which starts a token issuer"
    for name, option in (("insecure_no_auth", "--insecure-no-auth"), ("dev", "--dev")):
        if getattr(settings, name) and not is_loopback_host(settings.hostname):
            yield ("hostname", name), f"with {option} only a loopback host is allowed"


def _pair_faults(settings: Settings) -> Iterator[Fault]:
    if settings.tls_cert_file is not None and settings.tls_key_file is None:
        yield ("tls_cert_file", "tls_key_file"), "needs --tls-key-file too"
    if settings.tls_key_file is not None and settings.tls_cert_file is None:
        yield ("tls_key_file", "tls_cert_file"), "needs --tls-cert-file too"
    if settings.clients_ca_cert_file is not None and settings.tls_cert_file is None:
        # Without TLS nobody would be asked for a certificate.
        yield ("clients_ca_cert_file", "tls_cert_file"), "needs --tls-cert-file too"
    if settings.dev and settings.workers != 1:
        # Each process would start a token issuer of its own.
        yield ("workers", "dev"), "with --dev there is one"
    if settings.master_key is not None and settings.master_key_file is not None:
        # Which one wins would decide whether the stored objects can be read.
        yield ("master_key_file", "master_key"), "not together with KMS_MASTER_KEY"
    if settings.data_dir is None and not settings.dev:
        yield ("data_dir", "dev"), "a directory is needed"
