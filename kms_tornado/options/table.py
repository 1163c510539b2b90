"""The table of options, one row each: names, kind, help, default, which sources may set it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..auth.binding import BINDING_RULES
from ..auth.token_policy import ALGORITHMS
from ..kmip_settings import CLIENT_CERTIFICATE, USER_FIELDS, USER_NAMESPACES
from ..networks import parse_network
from ..settings import CRYPTO_POLICIES, LOG_FORMATS, LOG_LEVELS, Secret, parse_public_url
from ..wording import find_closest
from .converters import (
    mask_pin,
    mask_url,
    parse_algorithm,
    parse_auth_provider,
    parse_claim_path,
    parse_client_id,
    parse_host,
    parse_issuer_uri,
    parse_listen_address,
    parse_readable_file,
    parse_required_claim,
    parse_token_type,
    parse_user,
)
from .kinds import Boolean, Integer, OptionKind, Seconds, Switch, Text, make_choice


@dataclass(frozen=True, slots=True)
class Option:
    """One row.

    default: as the file would have it; None where the option is not set by default. unset: what
    --print-config shows then.
    setting: the field that it fills, where that is not its name with underscores; see `field`.
    collect: what the values of a repeatable option are put into. separator: between entries in the
    environment.
    is_flag and in_file: False where that source would be wrong for this option. mask: hides what is
    secret in a value that is shown. may_be_single: a repeatable option that may be a string in the file, as
    it was not always repeatable. credential: the name of the file in $CREDENTIALS_DIRECTORY that the
    option names by default.
    """

    name: str
    kind: OptionKind
    help: str
    default: Any = None
    unset: str = "none"
    setting: str = ""
    repeatable: bool = False
    collect: Callable[[Iterable[Any]], Collection[Any]] = tuple
    separator: str = ","
    short: str | None = None
    is_flag: bool = True
    in_file: bool = True
    mask: Callable[[str], str] | None = None
    may_be_single: bool = False
    credential: str | None = None

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return "KMS_" + self.name.upper().replace("-", "_")

    @property
    def field(self) -> str:
        """The field of Settings, or of a class that Settings is made of, that the option fills."""
        return self.setting or self.name.replace("-", "_")

    @property
    def label(self) -> str:
        """The option's name in the texts of faults."""
        return self.flag if self.is_flag else self.variable


GROUPS: tuple[tuple[str, tuple[Option, ...]], ...] = (
    (
        "general",
        (
            Option(
                "config",
                Text("FILE", Path),
                "configuration file: TOML, keys as the flags without dashes, in the table [kms]",
                short="-c",
                in_file=False,
            ),
            Option(
                "dev",
                Switch(),
                "try it out on one laptop: starts a throw-away token issuer too; loopback hosts "
                "only, data in a temporary directory unless --data-dir is given",
                False,
            ),
        ),
    ),
    (
        "token issuer",
        (
            Option(
                "jwt-issuer-uri",
                Text("URI", parse_issuer_uri),
                "the iss that a token must carry, compared exactly: a trailing / counts; an https URL, or with "
                "--jwks-uri any name",
                setting="trust",
            ),
            Option(
                "jwks-uri",
                Text("URI"),
                "where that issuer's keys are (default: <issuer>/.well-known/jwks.json); "
                "file:///... for a site without network",
                unset="<issuer>/.well-known/jwks.json",
            ),
            Option(
                "jwt-audience",
                Text("AUD"),
                "a token of --jwt-issuer-uri must carry at least one of these in aud, and so must one of a "
                "[[kms.issuer]] without audiences of its own (default: aud is not checked)",
                setting="audiences",
                repeatable=True,
                collect=frozenset,
            ),
            Option(
                "jwt-auth-provider",
                Text("ISSUER,JWKS_URI,AUD...", parse_auth_provider),
                "one more issuer; JWKS_URI and AUDs may be left empty; entries of the environment "
                "variable are separated by ;",
                setting="trust",
                repeatable=True,
                separator=";",
            ),
            Option(
                "jwt-user-namespace",
                make_choice(("shared", "issuer")),
                "needed with more than one issuer. shared: a user name means the same person "
                "whichever issuer vouches for it; issuer: user names are <issuer>#<name>",
                setting="namespace_by_issuer",
            ),
            Option(
                "jwt-audience-claim",
                Text("CLAIM"),
                "where the audience stands; of several, the first that the token has counts",
                ("aud",),
                setting="audience_claim",
                repeatable=True,
            ),
            Option(
                "jwt-user-claim",
                Text("CLAIM"),
                "the claim that names the user; of several, the first that the token has, and that is not "
                "empty, does; email also needs email_verified: true",
                ("sub",),
                setting="user_claim",
                repeatable=True,
                may_be_single=True,
            ),
            Option(
                "jwt-group-claim",
                Text("CLAIM", parse_claim_path),
                "the claim that names the user's groups, a list of strings or one string, or a path to it as in "
                "--jwt-required-claim; rights granted to group:<name> are those of its members (default: "
                "groups are not read)",
                setting="group_claim",
            ),
            Option(
                "jwt-allow-unverified-email",
                Switch(),
                "with --jwt-user-claim email, take addresses that the issuer has not verified",
                False,
                setting="allow_unverified_email",
            ),
            Option(
                "jwt-algorithms",
                Text("ALG", parse_algorithm),
                "signature algorithms that are allowed",
                ALGORITHMS,
                setting="algorithms",
                repeatable=True,
                collect=frozenset,
            ),
            Option(
                "jwt-leeway",
                Seconds(0, 300),
                "clock skew allowed on exp, nbf, iat and the maximum age, 0 to 300",
                60,
                setting="leeway_s",
            ),
            Option(
                "jwt-max-age",
                Seconds(above=True),
                "refuse a token whose iat is older than this, or that has none (default: any age)",
                setting="max_age_s",
            ),
            Option(
                "jwt-required-claim",
                Text("NAME=VALUE", parse_required_claim),
                "the claim must equal the value, contain it where it is a list, or have a member of that name "
                "where it is an object; NAME is the claim's own, else a path with dots "
                "(realm_access.roles) or a JSON pointer (/realm_access/roles); A|B: any of them; VALUE is a "
                "string, or a number or boolean as in JSON (put a string that looks like one, or has "
                'a |, in double quotes: level="5")',
                setting="required_claims",
                repeatable=True,
            ),
            Option(
                "jwt-deny-file",
                Text("FILE", lambda text: str(parse_readable_file(text))),
                "tokens that are refused all the same, remembered ones too, a line each: jti=..., sub=..., "
                "sid=..., iss=... sub=...; read again within a second when it changes",
                setting="deny_file",
            ),
            Option(
                "jwt-bound-tokens",
                make_choice(BINDING_RULES),
                "tokens with cnf, which are bound to a client certificate (RFC 8705) or to a key (DPoP, RFC 9449): checked "
                "refuses those that come without it, required others, too; off lets in whoever holds one",
                "checked",
                setting="bound_tokens",
            ),
            Option(
                "jwt-dpop-nonce",
                Switch(),
                "each DPoP proof must have a nonce that this server gave (RFC 9449 section 9)",
                False,
                setting="needs_dpop_nonce",
            ),
            Option(
                "jwt-token-types",
                Text("TYP", parse_token_type),
                "accepted typ headers, compared regardless of case, without a leading application/; the "
                "word absent stands for a token without typ",
                ("absent", "JWT", "at+jwt"),
                setting="token_types",
                repeatable=True,
                collect=frozenset,
            ),
            Option(
                "jwt-cache-size",
                Integer(0, 10_000_000),
                "verified tokens that are remembered; 0 turns it off",
                10_000,
                setting="cache_size",
            ),
            Option(
                "jwks-refresh-interval",
                Seconds(1),
                "time between two fetches of an issuer's keys in the background",
                300,
                setting="interval_s",
            ),
            Option(
                "jwks-cooldown",
                Seconds(),
                "the least time between two refreshes of an issuer's keys, whatever asks for them; while "
                "no keys are held, 5 s at most",
                30,
                setting="cooldown_s",
            ),
            Option(
                "jwks-timeout",
                Seconds(0, 30, above=True),
                "time for a whole refresh, all its requests; at most 30",
                5,
                setting="timeout_s",
            ),
            Option(
                "jwks-max-stale",
                Seconds(),
                "how long the last good keys serve while refreshes fail; then 503",
                86400,
                setting="max_stale_s",
            ),
            Option(
                "jwks-ca-file",
                Text("PEM", lambda text: str(parse_readable_file(text))),
                "CA bundle for the issuer, read again at every refresh (default: the system's)",
                unset="system",
                setting="ca_file",
            ),
            Option(
                "jwks-token-file",
                Text("FILE", lambda text: str(parse_readable_file(text))),
                "a bearer token for fetching the keys, as a Kubernetes API server wants one; read at every "
                "refresh, sent to the host of the configured issuer or key URI and to no other",
            ),
            Option(
                "jwks-allow-http",
                Text("HOST", parse_host),
                "allow http to this host for the keys, which is warned of: for a network that encrypts otherwise "
                "(default: https, and http where the issuer and its keys are on loopback hosts)",
                repeatable=True,
                collect=frozenset,
            ),
            Option(
                "jwt-tenants",
                Text("ID"),
                "for an issuer with {tenantid} in it, and needed there: the tid claims that are let in",
                setting="tenants",
                repeatable=True,
                collect=frozenset,
            ),
            Option(
                "insecure-no-auth",
                Switch(),
                "no token check at all: every request is --default-username; loopback hosts only, "
                "not together with an issuer",
                False,
            ),
            Option(
                "default-username",
                Text("USER", parse_user),
                "the user of every request with --insecure-no-auth",
                "admin",
            ),
        ),
    ),
    (
        "server",
        (
            Option(
                "hostname", Text("HOST", parse_host), "host or address to listen on", "127.0.0.1"
            ),
            Option("port", Integer(0, 65535, "PORT"), "port; 0 picks a free one", 9998),
            Option(
                "workers",
                Integer(0, 1024),
                "processes that share the port; 0: one per core",
                1,
            ),
            Option(
                "tls-cert-file",
                Text("PEM", parse_readable_file),
                "certificate chain; read again on SIGHUP (default: no TLS)",
            ),
            Option(
                "tls-key-file", Text("PEM", parse_readable_file), "private key of the certificate"
            ),
            Option(
                "clients-ca-cert-file",
                Text("PEM", parse_readable_file),
                "let in only clients that have a certificate of one of these CAs; their bearer "
                "token is needed all the same (default: no certificate is asked for)",
            ),
            Option(
                "public-url",
                Text("URL", parse_public_url),
                "the URL by which clients reach the server, named in metadata and challenges (default: the "
                "Host that was asked, if it is one listened for)",
                unset="the Host that was asked, if it is one listened for",
            ),
            Option(
                "trusted-proxies",
                Text("CIDR", parse_network),
                "networks or addresses of proxies; from these alone X-Forwarded-For, X-Forwarded-Proto and "
                "X-Request-ID are believed (default: from nobody)",
                repeatable=True,
            ),
            Option(
                "max-connections",
                Integer(1, 1_000_000),
                "connections that a process holds, at most what its file descriptors allow; half of "
                "them from one address",
                4096,
            ),
            Option(
                "send-timeout",
                Seconds(0, 86400, above=True),
                "an answer is dropped when its reader takes nothing of it for this long",
                60,
                setting="send_timeout_s",
            ),
            Option(
                "max-body-size",
                Integer(1, 2**40, "BYTES"),
                "larger request bodies are answered 413",
                16 * 1024 * 1024,
            ),
            Option(
                "user-rate",
                Integer(0, 1_000_000),
                "requests a second of one user, a message of many operations counting as one; more "
                "are answered 429; counted in each process of --workers; 0: any number",
                0,
            ),
            Option(
                "user-concurrency",
                Integer(0, 1_000_000),
                "requests at once of one user; more are answered 429; counted in each process of "
                "--workers; 0: any number",
                64,
            ),
            Option(
                "shutdown-timeout",
                Seconds(0, 86400),
                "time for requests in flight after SIGTERM",
                10,
                setting="shutdown_timeout_s",
            ),
            Option("log-level", make_choice(LOG_LEVELS), "least severity that is logged", "info"),
            Option("log-format", make_choice(LOG_FORMATS), "form of the log lines", "text"),
            Option(
                "metrics", Switch(), "serve Prometheus metrics at /metrics, without a token", False
            ),
            Option(
                "metrics-listen",
                Text("HOST:PORT", parse_listen_address),
                "serve the metrics there, over plain HTTP, and not on the port of everything else",
            ),
            Option(
                "ui", Switch(), "serve the page for people at /ui/ (always on with --dev)", False
            ),
            Option(
                "ui-client-id",
                Text("ID", parse_client_id),
                "the public client as which the page signs people in at --jwt-issuer-uri, with an "
                "authorization code and PKCE (default: they paste a token)",
            ),
        ),
    ),
    (
        "KMIP over TLS",
        (
            Option(
                "kmip-port",
                Integer(0, 65535, "PORT"),
                "listen for KMIP over TLS, for which 5696 is registered; 0 picks a free port; needs "
                "--tls-cert-file and --kmip-clients-ca-cert-file (default: off; with --dev 5696, or a "
                "free port where that is taken)",
            ),
            Option(
                "kmip-hostname",
                Text("HOST", parse_host),
                "host or address to listen on for KMIP (default: as --hostname)",
                unset="as --hostname",
            ),
            Option(
                "kmip-clients-ca-cert-file",
                Text("PEM", parse_readable_file),
                "CAs whose certificates name the users of KMIP over TLS; read again on SIGHUP",
            ),
            Option(
                "kmip-clients-crl-file",
                Text("PEM", parse_readable_file),
                "lists of those of their certificates that are revoked, one for each CA; read again on SIGHUP "
                "(default: no certificate counts as revoked)",
            ),
            Option(
                "kmip-client-certificate",
                make_choice(CLIENT_CERTIFICATE),
                "required: no handshake without one; optional: a message without one needs a token as the "
                "password of its Credential",
                "required",
            ),
            Option(
                "kmip-user-from",
                make_choice(USER_FIELDS),
                "the field of the certificate that names the user",
                "cn",
            ),
            Option(
                "kmip-user-namespace",
                make_choice(USER_NAMESPACES),
                "certificate: the user is named cert:<name>; shared: <name>, the same person as in a token",
                "certificate",
            ),
            Option(
                "kmip-crypto-policy",
                make_choice(CRYPTO_POLICIES),
                "as --crypto-policy, for KMIP over TLS alone, whose clients often need AES-CBC (default: as "
                "--crypto-policy)",
                unset="as --crypto-policy",
            ),
        ),
    ),
    (
        "storage",
        (
            Option(
                "data-dir",
                Text("DIR", Path),
                "directory of the database and the master key",
                "./kms-data",
            ),
            Option(
                "database-url",
                Text("URL"),
                "sqlite:///FILE in the data directory, or postgresql://... for many machines",
                "sqlite:///kms.db",
                mask=mask_url,
            ),
            Option(
                "master-key-file",
                Text("FILE", Path),
                "file with the master key, 32 bytes in base64, or with several, one in a line; the first "
                "of all seals, each opens what it sealed; or a pkcs11: URI (RFC 7512) of a key in a hardware "
                "security module, with the extra hsm; or give the key itself in the variable "
                "KMS_MASTER_KEY (default: $CREDENTIALS_DIRECTORY/kms-master-key where there is one, else "
                "made on first start in the data directory)",
                repeatable=True,
                may_be_single=True,
                mask=mask_pin,
                credential="kms-master-key",
            ),
            Option(
                # No flag, which `ps` would show to everyone, and not beside the other settings.
                "master-key",
                Text("BASE64", lambda text: Secret(text.strip())),
                "the master key itself, or several with commas between them",
                is_flag=False,
                in_file=False,
                mask=lambda text: "***",
            ),
            Option(
                "audit-log",
                Text("FILE", Path),
                "append every record and checkpoint of the audit to this file, too, as JSON lines; - is stdout; "
                "opened again on SIGHUP",
            ),
            Option(
                "audit-key-file",
                Text("FILE", Path),
                "file with the key that signs the audit's checkpoints, Ed25519 in PEM (default: made on first "
                "start in the data directory)",
            ),
            Option(
                "audit-reads",
                Boolean(),
                "whether operations that change nothing are recorded in the audit, too",
                True,
            ),
            Option(
                "accept-rollback",
                Switch(),
                "serve a database that is older than the audit's anchor, which is recorded; for one start",
                False,
            ),
            Option(
                "scrub-interval",
                Seconds(),
                "compare every stored object with its last record in the audit once in so long, and refuse what does "
                "not fit; 0: never",
                86400,
                setting="scrub_interval_s",
            ),
            Option(
                "auditors",
                Text("USER", parse_user),
                "these users may read every record of the audit (default: everybody reads their own and "
                "those of their objects)",
                repeatable=True,
                collect=frozenset,
            ),
            Option(
                "privileged-users",
                Text("USER", parse_user),
                "only these users may create objects (default: every authenticated user)",
                repeatable=True,
                collect=frozenset,
            ),
        ),
    ),
    (
        "key service",
        (
            Option(
                "crypto-policy",
                make_choice(CRYPTO_POLICIES),
                "conservative: no unauthenticated modes, no RSA PKCS#1 v1.5 decryption, no SHA-1 "
                "signatures; permissive allows them, for old data and old clients",
                "conservative",
            ),
            Option(
                "kmip-interop",
                Switch(),
                "offer the operations Interop and Log too, which conformance runs begin and end "
                "with",
                False,
            ),
        ),
    ),
)

OPTIONS: tuple[Option, ...] = tuple(option for _, options in GROUPS for option in options)
BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def find_options(field: str) -> Sequence[Option]:
    """The options that fill the field; the one to change comes first."""
    return [option for option in OPTIONS if option.field == field]


def find_closest_option(name: str) -> Sequence[str]:
    """The name of the flag or key that was probably meant, or none."""
    names = [option.name for option in OPTIONS if option.is_flag]
    return find_closest(name.lower().replace("_", "-"), names)
