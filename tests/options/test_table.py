"""Each row of the table: its default, its field, and its lines in the sample file."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from itertools import pairwise
from pathlib import Path

from kms_tornado.auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from kms_tornado.auth.tokens.token_policy import ALGORITHMS, TokenPolicy
from kms_tornado.options import OPTIONS, parse
from kms_tornado.settings.kmip import KMIPSettings
from kms_tornado.settings.server import Settings
from kms_tornado.settings.service import ServiceSettings

from .helpers import ISSUER, PACKAGE, TRUSTING

SAMPLE = PACKAGE.parent / "conf" / "kms.toml"


def test_defaults_of_the_table_are_the_defaults_of_the_values():
    trust = TrustSettings(issuers=(TrustedIssuer(ISSUER),))
    assert parse(TRUSTING, {}).settings == Settings(trust=trust)


def test_every_option_fills_a_field_and_every_field_has_its_option():
    classes = (Settings, ServiceSettings, KMIPSettings, TokenPolicy, RefreshPolicy)
    fields = [field.name for cls in classes for field in dataclasses.fields(cls)]
    of_policy = {field.name for field in dataclasses.fields(TokenPolicy)}
    # What an issuer may have of its own is filled by the tables of issuers.
    fields += [f.name for f in dataclasses.fields(TrustedIssuer) if f.name not in of_policy]
    assert len(set(fields)) == len(fields), "a row names its field without the class"
    made_of_others = {"uri", "policy", "refresh", "service", "kmip", "checks_tokens"}
    options = {option.field for option in OPTIONS if option.name != "config"}
    assert options == set(fields) - made_of_others


SAMPLE_LINE = re.compile(r"#([a-z-]+) = (.+)")


def sample_values():
    """{key: value} of the lines that are options."""
    found = [SAMPLE_LINE.fullmatch(line) for line in SAMPLE.read_text().splitlines()]
    pairs = [(match[1], tomllib.loads(f"x = {match[2]}")["x"]) for match in found if match]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_sample_file_has_every_option_in_order():
    assert list(sample_values()) == [o.name for o in OPTIONS if o.in_file]


def test_sample_file_shows_the_defaults():
    for option in OPTIONS:
        if option.default is not None:
            default = list(option.default) if option.repeatable else option.default
            assert sample_values()[option.name] == default


def test_sample_file_explains_every_option():
    lines = SAMPLE.read_text().splitlines()
    for above, line in pairwise(lines):
        if SAMPLE_LINE.fullmatch(line):
            assert above.startswith("# ")


def test_sample_file_as_it_is_sets_nothing():
    assert parse([*TRUSTING, "-c", str(SAMPLE)], {}).settings == parse(TRUSTING, {}).settings


def test_sample_file_loads_with_every_line_in_use(toml, tmp_path):
    text = re.sub(r"(?m)^#([a-z-]+ = )", r"\1", SAMPLE.read_text())
    for name in re.findall(r'"(/etc/kms/[\w.-]+)"', text):
        (tmp_path / Path(name).name).write_text("")
    text = text.replace("/etc/kms/", f"{tmp_path}/")
    parsed = parse(["-c", toml(text)], {})
    assert {e.source for e in parsed.effective if e.is_set} == {"file"}
    assert len(parsed.settings.trust.issuers) == 2


def test_every_algorithm_is_allowed_by_default():
    assert parse(TRUSTING, {}).settings.trust.policy.algorithms == set(ALGORITHMS)
