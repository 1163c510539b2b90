"""Settings refuse nonsense, each field alone and all together."""

from contextlib import nullcontext
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from kms_tornado.auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from kms_tornado.auth.tokens.token_policy import TokenPolicy
from kms_tornado.errors import ConfigurationError
from kms_tornado.settings.faults import InconsistentSettings
from kms_tornado.settings.server import Settings
from kms_tornado.settings.service import (
    Secret,
    ServiceArguments,
    ServiceSettings,
    make_service_settings,
)

from ..rows import each_row

TRUST = TrustSettings(issuers=(TrustedIssuer("https://issuer.example.com/"),))
PEM = Path("x.pem")


@each_row(
    "values",
    [
        pytest.param({"trust": TRUST}, id="an issuer"),
        pytest.param({"dev": True}, id="dev"),
        pytest.param(
            {"dev": True, "service": ServiceSettings(data_dir=None)},
            id="dev in a temporary directory",
        ),
        pytest.param({"insecure_no_auth": True}, id="no authentication"),
        pytest.param({"insecure_no_auth": True, "hostname": "localhost"}, id="localhost"),
        pytest.param({"dev": True, "hostname": "::1"}, id="IPv6 loopback"),
        pytest.param({"trust": TRUST, "hostname": "0.0.0.0"}, id="issuer on all interfaces"),
        pytest.param({"trust": TRUST, "tls_cert_file": PEM, "tls_key_file": PEM}, id="TLS"),
        pytest.param({"trust": TRUST, "port": 0}, id="any port"),
        pytest.param({"trust": TRUST, "port": 65535}, id="last port"),
    ],
)
def test_settings_that_go_together_exist(values):
    assert Settings(**values)


@each_row(
    ("values", "faulty"),
    [
        pytest.param({}, ["trust"], id="nobody says who a request is from"),
        pytest.param({"trust": TRUST, "insecure_no_auth": True}, ["insecure_no_auth"], id="both"),
        pytest.param({"trust": TRUST, "dev": True}, ["dev"], id="dev beside an issuer"),
        pytest.param({"dev": True, "insecure_no_auth": True}, ["insecure_no_auth"], id="dev, none"),
        pytest.param({"dev": True, "hostname": "0.0.0.0"}, ["hostname"], id="dev for everyone"),
        pytest.param({"dev": True, "hostname": "kms.example"}, ["hostname"], id="dev on a name"),
        pytest.param(
            {"insecure_no_auth": True, "hostname": "10.0.0.1"}, ["hostname"], id="open to all"
        ),
        pytest.param({"trust": TRUST, "tls_cert_file": PEM}, ["tls_cert_file"], id="no key"),
        pytest.param({"trust": TRUST, "tls_key_file": PEM}, ["tls_key_file"], id="no certificate"),
        pytest.param(
            {"trust": TRUST, "service": ServiceSettings(data_dir=None)},
            ["data_dir"],
            id="no directory",
        ),
        pytest.param({"trust": TRUST, "port": -1}, ["port"], id="negative port"),
        pytest.param({"trust": TRUST, "port": 65536}, ["port"], id="port too high"),
        pytest.param({"trust": TRUST, "max_body_size": 0}, ["max_body_size"], id="no body"),
        pytest.param({"trust": TRUST, "max_connections": 0}, ["max_connections"], id="nobody"),
        pytest.param({"trust": TRUST, "send_timeout_s": 0}, ["send_timeout_s"], id="at once"),
        pytest.param({"trust": TRUST, "user_rate": -1}, ["user_rate"], id="no rate"),
        pytest.param({"trust": TRUST, "user_concurrency": -1}, ["user_concurrency"], id="none"),
        pytest.param({"trust": TRUST, "shutdown_timeout_s": -1}, ["shutdown_timeout_s"], id="past"),
        pytest.param(
            {"trust": TRUST, "shutdown_timeout_s": float("nan")}, ["shutdown_timeout_s"], id="nan"
        ),
        pytest.param({"trust": TRUST, "log_level": "loud"}, ["log_level"], id="log level"),
        pytest.param({"trust": TRUST, "log_format": "xml"}, ["log_format"], id="log format"),
        pytest.param({"trust": TRUST, "hostname": ""}, ["hostname"], id="no host"),
        pytest.param({"trust": TRUST, "default_username": ""}, ["default_username"], id="no user"),
        pytest.param(
            {"trust": TRUST, "default_username": "*"}, ["default_username"], id="every user"
        ),
        pytest.param({"trust": TRUST, "cache_size": -1}, ["cache_size"], id="cache size"),
        pytest.param({"port": -1, "tls_key_file": PEM}, ["port", "trust", "tls_key_file"], id="3"),
    ],
)
def test_settings_that_contradict_are_refused_all_at_once(values, faulty):
    with pytest.raises(InconsistentSettings) as caught:
        Settings(**values)
    assert [fault.field for fault in caught.value.faults] == faulty
    assert all(f"{name}: " in str(caught.value) for name in faulty)


def test_refusal_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="no issuer to trust"):
        Settings()
    Settings(checks_tokens=False)


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Settings(dev=True).port = 1


@each_row("show", [repr, str, "{}".format])
def test_secrets_are_not_shown(show):
    service = ServiceSettings(
        master_key=Secret("c2VjcmV0"), database_url="postgresql://u:hunter2@h/d"
    )
    settings = Settings(trust=TRUST, service=service)
    assert "c2VjcmV0" not in show(settings) + show(service) + show(service.master_key)
    assert "hunter2" not in show(settings) + show(service)
    assert service.master_key.value == "c2VjcmV0"


def test_issuer_of_dev_is_trusted_under_the_policy_that_was_configured():
    settings = Settings(
        dev=True, policy=TokenPolicy(leeway_s=1), refresh=RefreshPolicy(cooldown_s=0), cache_size=5
    )
    issuer = TrustedIssuer("http://127.0.0.1:1/")
    trust = settings.make_trust(issuer)
    assert trust.issuers == (issuer,)
    assert (trust.policy.leeway_s, trust.refresh.cooldown_s, trust.cache_size) == (1, 0, 5)


# --- the key service's -----------------------------------------------------------------------------


@each_row(
    ("values", "faulty"),
    [
        pytest.param({"master_key": Secret("AA==")}, [], id="master key"),
        pytest.param({"master_key_file": (PEM,)}, [], id="master key file"),
        pytest.param(
            {"master_key": Secret("x"), "master_key_file": (PEM,)},
            ["master_key_file"],
            id="two master keys",
        ),
        pytest.param({"crypto_policy": "permissive"}, [], id="policy"),
        pytest.param({"crypto_policy": "lax"}, ["crypto_policy"], id="unknown policy"),
        pytest.param({"privileged_users": {"alice", "https://a.example#bob"}}, [], id="users"),
        pytest.param(
            {"privileged_users": {"*", "alice\u200b", "bob"}},
            ["privileged_users", "privileged_users"],
            id="two that are no user names",
        ),
    ],
)
def test_settings_of_the_service_are_checked_where_they_are_made(values, faulty):
    with pytest.raises(InconsistentSettings) if faulty else nullcontext() as caught:
        ServiceSettings(**values)
    assert not faulty or [fault.field for fault in caught.value.faults] == faulty


def test_an_application_can_write_down_every_setting_of_the_service():
    assert set(ServiceArguments.__annotations__) == {
        field.name for field in fields(ServiceSettings)
    }


def test_settings_that_an_application_writes_down_become_values_of_their_types():
    written = {
        "data_dir": "d",
        "database_url": "sqlite:///x.db",
        "master_key": "AA==",
        "privileged_users": ["alice", "alice"],
        "crypto_policy": "permissive",
        "kmip_interop": True,
    }
    assert make_service_settings(**written) == ServiceSettings(
        data_dir=Path("d"),
        database_url="sqlite:///x.db",
        master_key=Secret("AA=="),
        privileged_users=frozenset({"alice"}),
        crypto_policy="permissive",
        kmip_interop=True,
    )
    assert make_service_settings(master_key_file="k").master_key_file == (Path("k"),)
    several = make_service_settings(master_key_file=["k", Path("l")])
    assert several.master_key_file == (Path("k"), Path("l"))
    assert make_service_settings(master_key_file=None).master_key_file == ()


def test_what_an_application_leaves_out_is_as_an_option_that_is_not_set():
    assert make_service_settings() == ServiceSettings()
    assert make_service_settings(master_key=None, master_key_file=None) == ServiceSettings()
