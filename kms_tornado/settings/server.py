"""The settings of the server, and what does not go together among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from ..auth.issuers.issuer_urls import is_loopback_host
from ..auth.tokens.token_policy import DEV_ALGORITHM, TokenPolicy
from ..errors import ConfigurationError
from ..networks import Network, share_address
from ..user_names import find_user_fault
from .faults import find_load_faults, refuse_faults
from .kmip import KMIPSettings, find_kmip_faults
from .service import CRYPTO_POLICIES, ServiceSettings

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
LOG_FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the server.

    trust: None with --dev (the server starts its own issuer, see `make_trust`), with
    --insecure-no-auth, where default_username is the principal of every request, and without checks_tokens.
    checks_tokens: False for what works on the database alone and asks nobody who they are: no issuer is needed.
    policy, refresh, cache_size: what `trust` was made with, or what `make_trust` will use.
    clients_ca_cert_file: the CAs that may issue client certificates; None asks for no certificate.
    public_url: the URL by which clients reach the server, as `parse_public_url` gives it; empty means the Host
    that was asked, if it is one listened for.
    trusted_proxies: networks of the proxies whose X-Forwarded-For, -Proto and X-Request-ID are believed.
    workers: processes that share the port; 0 means one per core.
    metrics_listen: (host, port) that the metrics have to themselves; None means the port of everything else,
    and that only with `metrics`.
    max_connections: of one process. send_timeout_s: for how long an answer may wait for its reader.
    user_rate, user_concurrency: of one principal and process, 0 means unbounded (`service.load.admission`).
    ui: whether the page for people is served at /ui/. ui_client_id: as which client it signs people in at the
    first issuer; None: they paste a token.
    kmip: of KMIP over TLS.
    service: the settings of the key service behind it; its data_dir may be None only with --dev.

    Raises InconsistentSettings.
    """

    trust: TrustSettings | None = None
    checks_tokens: bool = True
    insecure_no_auth: bool = False
    default_username: str = "admin"
    dev: bool = False
    hostname: str = "127.0.0.1"
    port: int = 9998
    workers: int = 1
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    clients_ca_cert_file: Path | None = None
    public_url: str = ""
    trusted_proxies: tuple[Network, ...] = ()
    max_connections: int = 4096
    send_timeout_s: float = 60.0
    max_body_size: int = 16 * 1024 * 1024
    user_rate: int = 0
    user_concurrency: int = 64
    shutdown_timeout_s: float = 10.0
    log_level: str = "info"
    log_format: str = "text"
    metrics: bool = False
    metrics_listen: tuple[str, int] | None = None
    ui: bool = False
    ui_client_id: str | None = None
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    refresh: RefreshPolicy = field(default_factory=RefreshPolicy)
    cache_size: int = 10_000
    kmip: KMIPSettings = field(default_factory=KMIPSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)

    def __post_init__(self) -> None:
        refuse_faults(
            (*_find_field_faults(self), *_find_trust_faults(self), *_find_pair_faults(self))
        )

    @property
    def has_metrics(self) -> bool:
        return self.metrics or self.metrics_listen is not None

    @property
    def has_ui(self) -> bool:
        """Whether the page for people is served."""
        return self.ui or self.dev

    @property
    def has_kmip(self) -> bool:
        """Whether the server listens for KMIP over TLS."""
        return self.kmip.kmip_port is not None or self.dev

    @property
    def kmip_hostname(self) -> str:
        return self.kmip.kmip_hostname or self.hostname

    def make_trust(self, issuer: TrustedIssuer) -> TrustSettings:
        """Trust only the throw-away issuer of --dev, under the configured policy."""
        return TrustSettings(
            issuers=(issuer,), policy=self.policy, refresh=self.refresh, cache_size=self.cache_size
        )


def _find_field_faults(settings: Settings) -> Iterator[ConfigurationError]:
    """Faults of a single field. `options` accepts no wider range than these checks."""
    if not 0 <= settings.port <= 65535:
        yield ConfigurationError("0 to 65535", "port")
    if settings.workers < 0:
        yield ConfigurationError("not negative", "workers")
    if settings.max_connections < 1:
        yield ConfigurationError("at least 1", "max_connections")
    if not 0 < settings.send_timeout_s < float("inf"):
        yield ConfigurationError("seconds, more than 0", "send_timeout_s")
    yield from find_load_faults(
        settings.max_body_size, settings.user_rate, settings.user_concurrency
    )
    if not 0 <= settings.shutdown_timeout_s < float("inf"):
        yield ConfigurationError("seconds, not negative", "shutdown_timeout_s")
    if settings.log_level not in LOG_LEVELS:
        yield ConfigurationError(f"one of {' '.join(LOG_LEVELS)}", "log_level")
    if settings.log_format not in LOG_FORMATS:
        yield ConfigurationError(f"one of {' '.join(LOG_FORMATS)}", "log_format")
    if not settings.hostname:
        # Tornado would listen on every interface.
        yield ConfigurationError("a host is needed", "hostname")
    if fault := find_user_fault(settings.default_username):
        yield ConfigurationError(f"the name {fault}", "default_username")
    if settings.metrics_listen is not None and not 0 <= settings.metrics_listen[1] <= 65535:
        yield ConfigurationError("the port is 0 to 65535", "metrics_listen")
    if settings.cache_size < 0:
        yield ConfigurationError("not negative", "cache_size")


def _find_trust_faults(settings: Settings) -> Iterator[ConfigurationError]:
    """Faults in who says from whom a request is: exactly one of an issuer, --dev and --insecure-no-auth."""
    is_open = settings.dev or settings.insecure_no_auth
    if settings.checks_tokens and settings.trust is None and not is_open:
        yield ConfigurationError(
            "no issuer to trust; set this, --jwt-auth-provider, --dev or --insecure-no-auth",
            "trust",
            "dev",
            "insecure_no_auth",
        )
    if settings.insecure_no_auth and settings.trust is not None:
        yield ConfigurationError("not together with a token issuer", "insecure_no_auth", "trust")
    if settings.dev and settings.trust is not None:
        # A developer's machine that accepts the production issuer's tokens would be a production server
        # without its safeguards.
        yield ConfigurationError(
            "brings its own token issuer, so no other can be configured", "dev", "trust"
        )
    if settings.dev and DEV_ALGORITHM not in settings.policy.algorithms:
        # None of its tokens would ever be accepted.
        yield ConfigurationError(f"the issuer of --dev signs with {DEV_ALGORITHM}", "algorithms")
    if settings.dev and settings.insecure_no_auth:
        yield ConfigurationError(
            "not together with --dev, which starts a token issuer", "insecure_no_auth", "dev"
        )
    hosts = [("hostname", settings.hostname)]
    if settings.kmip.kmip_hostname is not None:
        hosts.append(("kmip_hostname", settings.kmip.kmip_hostname))
    for name, option in (("insecure_no_auth", "--insecure-no-auth"), ("dev", "--dev")):
        for field_name, host in hosts:
            if getattr(settings, name) and not is_loopback_host(host):
                yield ConfigurationError(
                    f"with {option} only a loopback host is allowed, not {host}", field_name, name
                )


def _find_pair_faults(settings: Settings) -> Iterator[ConfigurationError]:
    """Fields that do not go together."""
    if settings.ui_client_id is not None and (settings.dev or settings.insecure_no_auth):
        yield ConfigurationError("needs an issuer that knows the client", "ui_client_id", "trust")
    yield from _find_tls_faults(settings)
    yield from _find_kmip_conflicts(settings)
    yield from _find_port_faults(settings)
    if settings.dev and settings.workers != 1:
        # Each process would start a token issuer of its own.
        yield ConfigurationError("with --dev there is only one worker", "workers", "dev")
    if settings.service.data_dir is None and not settings.dev:
        yield ConfigurationError("a directory is needed", "data_dir", "dev")


def _find_tls_faults(settings: Settings) -> Iterator[ConfigurationError]:
    if settings.tls_cert_file is not None and settings.tls_key_file is None:
        yield ConfigurationError("needs --tls-key-file too", "tls_cert_file", "tls_key_file")
    if settings.tls_key_file is not None and settings.tls_cert_file is None:
        yield ConfigurationError("needs --tls-cert-file too", "tls_key_file", "tls_cert_file")
    if settings.clients_ca_cert_file is not None and settings.tls_cert_file is None:
        # Without TLS nobody would be asked for a certificate.
        yield ConfigurationError(
            "needs --tls-cert-file too", "clients_ca_cert_file", "tls_cert_file"
        )


def _find_kmip_conflicts(settings: Settings) -> Iterator[ConfigurationError]:
    yield from find_kmip_faults(
        settings.kmip, has_pair=settings.tls_cert_file is not None, is_dev=settings.dev
    )
    by_issuer = settings.trust is not None and settings.trust.policy.namespace_by_issuer
    if by_issuer and settings.kmip.kmip_user_namespace == "shared":
        # A CA would speak for every issuer: its certificate of https://idp.example#alice would be that one's alice.
        yield ConfigurationError(
            "shared does not go together with --jwt-user-namespace issuer, where each issuer names its own users",
            "kmip_user_namespace",
            "namespace_by_issuer",
        )
    policy = settings.kmip.kmip_crypto_policy
    if policy is not None and policy not in CRYPTO_POLICIES:
        yield ConfigurationError(f"one of {' '.join(CRYPTO_POLICIES)}", "kmip_crypto_policy")


def _find_port_faults(settings: Settings) -> Iterator[ConfigurationError]:
    """Two of the server's own listeners at one address, which waiting cannot mend."""
    http = (settings.hostname, settings.port)
    metrics = settings.metrics_listen
    kmip = None
    if settings.kmip.kmip_port is not None:
        kmip = (settings.kmip_hostname, settings.kmip.kmip_port)
    if metrics is not None and share_address(metrics, http):
        yield ConfigurationError("is where everything else is served", "metrics_listen", "port")
    if kmip is not None and share_address(kmip, http):
        yield ConfigurationError("is where HTTP is served", "kmip_port", "port")
    if kmip is not None and metrics is not None and share_address(metrics, kmip):
        yield ConfigurationError("is where KMIP over TLS is served", "metrics_listen", "kmip_port")
