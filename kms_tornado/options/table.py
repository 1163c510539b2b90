"""The table of options, one row each: names, kind, help, default, which sources may set it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..auth.issuer import ALGORITHMS
from ..settings import CRYPTO_POLICIES, LOG_FORMATS, LOG_LEVELS, Secret
from .converters import (
    algorithm,
    auth_provider,
    host,
    issuer_uri,
    key_set_uri,
    mask_url,
    readable_file,
    required_claim,
    token_type,
    user_name,
)
from .kinds import Integer, Kind, Seconds, Switch, Text, choice
from .wording import closest


@dataclass(frozen=True, slots=True)
class Option:
    """One row. default: as the file would have it; None, where the option is not set by default.

    unset: what --print-config shows then. separator: between entries in the environment.
    is_flag and in_file: False where that source would be wrong for this one. mask: hides what is
    secret in a value that is shown.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None
    unset: str = "none"
    repeatable: bool = False
    separator: str = ","
    short: str | None = None
    is_flag: bool = True
    in_file: bool = True
    mask: Callable[[str], str] | None = None

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return "KMS_" + self.name.upper().replace("-", "_")

    @property
    def label(self) -> str:
        """How mistakes name it; the name in every source is part of it or of its place."""
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
                Text("URI", issuer_uri),
                "the iss that a token must carry, compared exactly: a trailing / counts",
            ),
            Option(
                "jwks-uri",
                Text("URI", key_set_uri),
                "where that issuer's keys are (default: <issuer>/.well-known/jwks.json); "
                "file:///... for a site without network",
                unset="<issuer>/.well-known/jwks.json",
            ),
            Option(
                "jwt-audience",
                Text("AUD"),
                "a token of --jwt-issuer-uri must carry at least one of these in aud (default: "
                "aud is not checked)",
                repeatable=True,
            ),
            Option(
                "jwt-auth-provider",
                Text("ISSUER,JWKS_URI,AUD...", auth_provider),
                "one more issuer; JWKS_URI and AUDs may be left empty; entries of the environment "
                "variable are separated by ;",
                repeatable=True,
                separator=";",
            ),
            Option(
                "jwt-user-namespace",
                choice(("shared", "issuer")),
                "needed with more than one issuer. shared: a user name means the same person "
                "whichever issuer vouches for it; issuer: user names are <issuer>#<name>",
            ),
            Option(
                "jwt-user-claim",
                Text("CLAIM"),
                "the claim that names the user; email also needs email_verified: true",
                "sub",
            ),
            Option(
                "jwt-allow-unverified-email",
                Switch(),
                "with --jwt-user-claim email, take addresses that the issuer has not verified",
                False,
            ),
            Option(
                "jwt-algorithms",
                Text("ALG", algorithm),
                "signature algorithms that are allowed",
                ALGORITHMS,
                repeatable=True,
            ),
            Option(
                "jwt-leeway",
                Seconds(0, 300),
                "clock skew allowed on exp, nbf, iat and the maximum age, 0 to 300",
                60,
            ),
            Option(
                "jwt-max-age",
                Seconds(above=True),
                "refuse a token whose iat is older than this, or that has none (default: any age)",
            ),
            Option(
                "jwt-required-claim",
                Text("NAME=VALUE", required_claim),
                "the claim must equal the value, or contain it where it is a list; VALUE is a "
                "string, or a number or boolean as in JSON (put a string that looks like one in "
                'double quotes: level="5")',
                repeatable=True,
            ),
            Option(
                "jwt-token-types",
                Text("TYP", token_type),
                "accepted typ headers, compared without case and a leading application/; the word "
                "absent stands for a token without typ",
                ("absent", "JWT", "at+jwt"),
                repeatable=True,
            ),
            Option(
                "jwt-cache-size",
                Integer(0, 10_000_000),
                "verified tokens that are remembered; 0 turns it off",
                10_000,
            ),
            Option(
                "jwks-refresh-interval",
                Seconds(1),
                "time between two fetches of an issuer's keys in the background",
                300,
            ),
            Option(
                "jwks-cooldown",
                Seconds(),
                "the least time between two refreshes of an issuer's keys, whatever asks for them",
                30,
            ),
            Option(
                "jwks-timeout",
                Seconds(0, 30, above=True),
                "time for a whole refresh, all its requests; at most 30",
                5,
            ),
            Option(
                "jwks-max-stale",
                Seconds(),
                "how long the last good keys serve while refreshes fail; then 503",
                86400,
            ),
            Option(
                "jwks-ca-file",
                Text("PEM", readable_file),
                "CA bundle for the issuer (default: the system's)",
                unset="system",
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
                Text("USER", user_name),
                "the user of every request with --insecure-no-auth",
                "admin",
            ),
        ),
    ),
    (
        "server",
        (
            Option("hostname", Text("HOST", host), "host or address to listen on", "127.0.0.1"),
            Option("port", Integer(0, 65535, "PORT"), "port; 0 picks a free one", 9998),
            Option(
                "workers",
                Integer(0, 1024),
                "processes that share the port; 0: one per core",
                1,
            ),
            Option(
                "tls-cert-file",
                Text("PEM", readable_file),
                "certificate chain; read again on SIGHUP (default: no TLS)",
            ),
            Option("tls-key-file", Text("PEM", readable_file), "private key of the certificate"),
            Option(
                "clients-ca-cert-file",
                Text("PEM", readable_file),
                "let in only clients that have a certificate of one of these CAs; their bearer "
                "token is needed all the same (default: no certificate is asked for)",
            ),
            Option(
                "max-body-size",
                Integer(1, 2**40, "BYTES"),
                "larger request bodies are answered 413",
                16 * 1024 * 1024,
            ),
            Option(
                "shutdown-timeout",
                Seconds(0, 86400),
                "time for requests in flight after SIGTERM",
                10,
            ),
            Option("log-level", choice(LOG_LEVELS), "least severity that is logged", "info"),
            Option("log-format", choice(LOG_FORMATS), "form of the log lines", "text"),
            Option(
                "metrics", Switch(), "serve Prometheus metrics at /metrics, without a token", False
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
                "file with the master key, 32 bytes in base64; or give the key itself in the "
                "variable KMS_MASTER_KEY (default: made on first start in the data directory)",
            ),
            Option(
                # No flag, which `ps` would show to everyone, and not beside the other settings.
                "master-key",
                Text("BASE64", lambda text: Secret(text.strip())),
                "the master key itself",
                is_flag=False,
                in_file=False,
                mask=lambda text: "***",
            ),
            Option(
                "privileged-users",
                Text("USER", user_name),
                "only these users may create objects (default: every authenticated user)",
                repeatable=True,
            ),
        ),
    ),
    (
        "key service",
        (
            Option(
                "crypto-policy",
                choice(CRYPTO_POLICIES),
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


def closest_option(name: str) -> Sequence[str]:
    """The name of the flag or key that was probably meant, or none."""
    names = [option.name for option in OPTIONS if option.is_flag]
    return closest(name.lower().replace("_", "-"), names)
