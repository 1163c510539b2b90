"""What --dev prints: the issuer, a token for each user, lines to paste into a shell, and the address of the page.

The lines are the same for bash, zsh and sh. There is no comment between lines that are pasted together, since an
interactive zsh would run it as a command.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from ....auth.issuers.issuer import TrustSettings
from ....auth.rules.explaining import explain_claims, explain_reading, find_answer
from .issuer import LIFETIME_S, USERS, DevIssuer
from .kmip import DevKMIP


def format_dev_text(
    issuer: DevIssuer,
    trust: TrustSettings,
    server_url: str,
    certificate: Path | None,
    kmip: DevKMIP | None = None,
) -> str:
    """The text.

    trust: what the server trusts. certificate: the server's, if it serves over TLS.
    kmip: None where certificates were configured for it.
    """
    tokens = {user: issuer.mint_token(user) for user in USERS}
    _, bob = USERS
    grantee = f"{issuer.uri}#{bob}" if trust.policy.namespace_by_issuer else bob
    lines = [*_lines(issuer.uri, tokens, grantee, server_url, certificate)]
    if kmip is not None:
        lines += _kmip_lines(kmip)
    return "\n".join(lines)


def find_refusal(issuer: DevIssuer, trust: TrustSettings) -> str | None:
    """Which check of the server's configuration a printed token fails; None where it is accepted."""
    reading = explain_reading(issuer.mint_token(USERS[0]), trust)
    error = find_answer([*reading.steps, *explain_claims(reading, trust, now=time.time())])
    return None if error is None else str(error)


def find_lifetime(trust: TrustSettings) -> float:
    """For how many seconds a printed token is accepted, the leeway included."""
    policy = trust.policy
    oldest_s = LIFETIME_S if policy.max_age_s is None else policy.max_age_s + policy.leeway_s
    return min(LIFETIME_S, oldest_s)


def _kmip_lines(kmip: DevKMIP) -> Iterator[str]:
    alice, bob = USERS
    yield from ("", f"KMIP over TLS, as cert:{alice} or cert:{bob}:")
    yield from (f"export {name}={shlex.quote(value)}" for name, value in kmip.variables.items())
    yield from (
        "",
        "the same for PyKMIP, in the sections client and bob:",
        shlex.quote(str(kmip.configuration)),
    )


def _lines(
    issuer: str, tokens: dict[str, str], grantee: str, server_url: str, certificate: Path | None
) -> Iterator[str]:
    alice, bob = USERS
    yield f"issuer: {issuer}"
    for user, token in tokens.items():
        yield from ("", f"token for {user}:", token)
    yield from (
        "",
        "for a second terminal, where kmsctl is not installed yet:",
        "pip install 'kms-tornado[client]'",
        "or, in the directory of the source:",
        "pip install '.[client]'",
    )
    if certificate is not None:
        # Verified, and not just accepted: who answers in the server's place gets no token.
        yield from (
            "",
            "where no authority of this machine vouches for the certificate:",
            f"export SSL_CERT_FILE={shlex.quote(str(certificate.absolute()))}",
        )
    yield from (
        "",
        "as alice:",
        f"export KMS_URL={shlex.quote(server_url)}",
        f"export KMS_TOKEN={tokens[alice]}",
        f"export BOB={tokens[bob]}",
        "",
        "make a key, encrypt a file, let bob decrypt it:",
        "kmsctl create demo",
        "echo 'pay 12 EUR' > kms-dev.txt && kmsctl encrypt kms-dev.txt --for demo --force",
        f"kmsctl share demo {shlex.quote(grantee)} decrypt",
        "",
        "as bob:",
        "KMS_TOKEN=$BOB kmsctl decrypt kms-dev.txt.kms -o -",
        "",
        "the same in a browser:",
        f"{server_url}/ui/",
    )
