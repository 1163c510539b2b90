"""`kms-tornado explain TOKEN|-`: says which checks of this configuration a token passes or fails, and what to change.

No server is asked. The issuer's keys are fetched as the server would do it, or read from a file.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from .. import errors
from ..auth.deny_file import DenyFile
from ..auth.deny_list import NOBODY, DenyList
from ..auth.issuers.issuer import TrustedIssuer, TrustSettings
from ..auth.issuers.keyset import KeySet
from ..auth.rules.explaining import (
    Reading,
    Step,
    count_other_claims,
    explain_claims,
    explain_keys,
    explain_reading,
    find_answer,
    find_policy,
    list_counting_claims,
    show,
    skip,
)
from ..auth.tokens.compact import MAX_TOKEN_LENGTH
from ..errors import AuthenticationError, ConfigurationError, KeySetError, KMSError
from ..web.bearer.jwks_fetch import JWKSFetch, make_key_source
from ..wording import make_printable, mask_queries
from .output import say, tell
from .running import CommandContext

#: Class of the error, or (step, class) → what would have to change. Filled in from `_collect_facts`.
ADVICE: Mapping[type[KMSError] | tuple[str, type[KMSError]], str] = {
    errors.MalformedToken: "give the JWT itself, whole: three parts with dots between them; a token without dots "
    "is one that its issuer alone can read",
    errors.AlgorithmNotAllowed: "have the issuer sign with one of {algorithms}, or allow {alg} by --jwt-algorithms",
    ("key", errors.AlgorithmNotAllowed): "the issuer publishes no key for {alg}: look at its key set",
    errors.WrongTokenType: "send an access token; if it is one, add its type to --jwt-token-types",
    errors.UnknownIssuer: "if tokens of {iss} are to be accepted, configure it exactly so (--jwt-issuer-uri, "
    "[[kms.issuer]], --jwt-auth-provider), or its tenant {tid} (--jwt-tenants); configured are {issuers}",
    errors.UnknownKey: "get a new token; if this one is new, the issuer publishes its keys elsewhere (--jwks-uri)",
    errors.BadSignature: "get the token anew from the issuer: it was changed, or another key signed it",
    errors.MissingClaim: "have the issuer put the claim into its tokens",
    ("times", errors.MissingClaim): "have the issuer put exp into its tokens, and iat where --jwt-max-age is set",
    ("subject", errors.MissingClaim): "have the issuer put sub in, or name another claim by --jwt-user-claim",
    ("user name", errors.MissingClaim): "have the issuer put {user_claim} in, or name another claim by "
    "--jwt-user-claim",
    errors.InvalidClaim: "have the issuer write the claim as RFC 7519 §4.1 has it",
    ("user name", errors.InvalidClaim): "name a claim by --jwt-user-claim that is a name of 1 to 255 characters",
    errors.InvalidUserName: "name another claim by --jwt-user-claim, or give the user another name at the issuer",
    errors.TooManyGroups: "have the issuer put those groups alone into the token that are of use here",
    errors.ExpiredToken: "get a new token; if this one is new, compare the clocks (--jwt-leeway is {leeway} s)",
    errors.TokenNotYetValid: "compare the clocks of the issuer and of this machine (--jwt-leeway is {leeway} s)",
    errors.TokenTooOld: "get a new token, or accept older ones (--jwt-max-age is {max_age} s)",
    errors.WrongAudience: "ask the issuer for a token for {audiences}, or accept what it is for by --jwt-audience; "
    "--jwt-audience-claim says where it stands",
    errors.UnverifiedEmail: "have the issuer verify the address; --jwt-allow-unverified-email takes any",
    errors.TokenDenied: "get a new token if its line names this one alone; else take the line out of the deny list "
    "(--jwt-deny-file)",
    errors.UnboundToken: "have the issuer bind it to a client certificate (RFC 8705) or to a DPoP key (RFC 9449), or take "
    "others by --jwt-bound-tokens checked",
    errors.UnknownBinding: "have the issuer bind it by x5t#S256 or jkt alone; --jwt-bound-tokens off looks at no binding",
    errors.InsufficientScope: "the token is good; its holder needs {required} at the issuer (--jwt-required-claim)",
    errors.KeySetError: "mend that, or name a file that has the keys: --keys FILE",
}  # fmt: skip


async def run(context: CommandContext) -> int:
    trust = context.settings.trust
    if trust is None:
        raise ConfigurationError(
            "there is no issuer to trust, so there is nothing that a token is compared with",
            "trust",
        )
    denied = _read_deny_list(trust)
    token = _read_token(context.arguments["token"])
    reading = explain_reading(token, trust)
    _print_token(reading, trust)
    steps = [
        *reading.steps,
        *await _explain_keys(reading, trust, context.arguments["keys"]),
        *explain_claims(reading, trust, now=time.time(), denied=denied),
    ]
    facts = _collect_facts(reading, trust)
    for step in steps:
        _print_step(step, facts)
    answer = find_answer(steps)
    say(f"\n{_describe_answer(answer)}")
    return 0 if answer is None else 1


def _read_token(argument: str) -> str:
    """The token of the argument, or of stdin for ``-``. Raises ConfigurationError where there is none."""
    if argument != "-":
        tell(
            "kms-tornado: warning: other users of this machine see arguments, and the shell keeps them; "
            "`explain -` reads the token from stdin"
        )
    # A token that is too long is told so, whatever follows in it.
    octets = sys.stdin.buffer.read(4 * MAX_TOKEN_LENGTH) if argument == "-" else argument.encode()
    text = octets.decode("utf-8", "replace").strip()
    scheme, _, rest = text.partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else text
    if not token:
        raise ConfigurationError("there is no token on stdin" if argument == "-" else "it is empty")
    return token


async def _explain_keys(reading: Reading, trust: TrustSettings, file: Path | None) -> list[Step]:
    if reading.issuer is None:
        return [] if reading.unverified is None else [skip("key"), skip("signature")]
    issuer = trust.find_configured(reading.issuer)
    if file is not None:
        issuer = _with_keys_of(issuer, file)
    try:
        key_set = await _load_keys(issuer, trust)
    except KeySetError as exc:
        return [Step("key", make_printable(mask_queries(str(exc))), exc), skip("signature")]
    return explain_keys(reading, key_set)


def _read_deny_list(trust: TrustSettings) -> DenyList:
    """The deny list. Raises ConfigurationError where it cannot be read."""
    if trust.policy.deny_file is None:
        return NOBODY
    file = DenyFile(trust.policy.deny_file)
    file.load()
    return file.list


def _with_keys_of(issuer: TrustedIssuer, file: Path) -> TrustedIssuer:
    return dataclasses.replace(issuer, jwks_uri=file.absolute().as_uri())


async def _load_keys(issuer: TrustedIssuer, trust: TrustSettings) -> KeySet:
    """The issuer's keys, fetched as the server does at its start. Raises KeySetError."""
    fetch = JWKSFetch(trust.refresh)
    fetch.open()
    try:
        async with asyncio.timeout(trust.refresh.timeout_s):
            loaded = await make_key_source(issuer, fetch, trust.refresh).load()
    except TimeoutError:
        raise KeySetError("no complete answer in time (--jwks-timeout)", "timeout") from None
    finally:
        fetch.close()
    return loaded.key_set


def _print_token(reading: Reading, trust: TrustSettings) -> None:
    if reading.unverified is None:
        return
    header = reading.unverified.header
    say(f"header   alg {show(header.alg)}, kid {show(header.kid)}, typ {show(header.typ)}")
    for name, value in list_counting_claims(reading, trust).items():
        say(f"claim    {name} {value}")
    others = count_other_claims(reading, trust)
    say(f"claims   {others} more, which decide nothing here\n")


def _print_step(step: Step, facts: Mapping[str, str]) -> None:
    mark = "FAILED" if step.error is not None else "passed" if step.is_made else "  -   "
    say(f"{mark}  {step.name}: {step.text}")
    if step.error is not None:
        say(f"        to pass: {advise(step.name, step.error).format_map(facts)}")


def advise(step: str, error: KMSError) -> str:
    """What would have to change: a text with placeholders for the facts."""
    return ADVICE.get((step, type(error))) or ADVICE[type(error)]


def _collect_facts(reading: Reading, trust: TrustSettings) -> dict[str, str]:
    policy, unverified = find_policy(reading, trust), reading.unverified
    audiences = reading.issuer.audiences if reading.issuer is not None else ()
    return {
        "algorithms": " ".join(sorted(policy.algorithms)),
        "alg": "" if unverified is None else show(unverified.header.alg),
        "iss": "" if unverified is None else show(unverified.claims.get("iss")),
        "tid": "" if unverified is None else show(unverified.claims.get("tid")),
        "issuers": ", ".join(show(issuer.uri) for issuer in trust.issuers),
        "audiences": " or ".join(map(show, sorted(audiences))),
        "user_claim": " or ".join(policy.user_claims),
        "leeway": f"{policy.leeway_s:g}",
        "max_age": f"{policy.max_age_s:g}" if policy.max_age_s is not None else "",
        "required": ", ".join(
            f"{required.name}={' or '.join(map(show, required.values))}"
            for required in policy.required_claims
        ),
    }


def _describe_answer(error: KMSError | None) -> str:
    if error is None:
        return "accepted"
    if isinstance(error, AuthenticationError):
        return f"refused: {error.status} {error.code}: {error}"
    return "not decided: the issuer's keys cannot be had; a server that has none answers 503"
