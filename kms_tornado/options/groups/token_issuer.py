"""Whose tokens are accepted, and what must stand in them."""

from __future__ import annotations

from ...auth.tokens.binding import BINDING_RULES
from ...auth.tokens.token_policy import ALGORITHMS
from ...wording import mask_queries
from ..converters import (
    mask_auth_provider,
    parse_algorithm,
    parse_auth_provider,
    parse_claim_path,
    parse_host,
    parse_issuer_uri,
    parse_name,
    parse_readable_file,
    parse_required_claim,
    parse_token_type,
    parse_user,
)
from ..kinds import Integer, Seconds, Switch, Text, make_choice
from ..option import Option

TOKEN_ISSUER: tuple[Option, ...] = (
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
        mask=mask_queries,
    ),
    Option(
        "jwt-audience",
        Text("AUD", parse_name),
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
        mask=mask_auth_provider,
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
        Text("CLAIM", parse_name),
        "where the audience stands; of several, the first that the token has counts",
        ("aud",),
        setting="audience_claim",
        repeatable=True,
    ),
    Option(
        "jwt-user-claim",
        Text("CLAIM", parse_name),
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
        Text("ID", parse_name),
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
)
