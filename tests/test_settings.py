"""Settings refuse nonsense, each field alone and all together."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from kms_tornado.auth.issuer import RefreshPolicy, TokenPolicy, TrustedIssuer, TrustSettings
from kms_tornado.errors import ConfigurationError
from kms_tornado.settings import InconsistentSettings, Secret, Settings

TRUST = TrustSettings(issuers=(TrustedIssuer("https://issuer.example.com/"),))
PEM = Path("x.pem")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"trust": TRUST}, id="an issuer"),
        pytest.param({"dev": True}, id="dev"),
        pytest.param({"dev": True, "data_dir": None}, id="dev in a temporary directory"),
        pytest.param({"insecure_no_auth": True}, id="no authentication"),
        pytest.param({"insecure_no_auth": True, "hostname": "localhost"}, id="localhost"),
        pytest.param({"dev": True, "hostname": "::1"}, id="IPv6 loopback"),
        pytest.param({"trust": TRUST, "hostname": "0.0.0.0"}, id="issuer on all interfaces"),
        pytest.param({"trust": TRUST, "tls_cert_file": PEM, "tls_key_file": PEM}, id="TLS"),
        pytest.param({"trust": TRUST, "master_key": Secret("AA==")}, id="master key"),
        pytest.param({"trust": TRUST, "master_key_file": PEM}, id="master key file"),
        pytest.param({"trust": TRUST, "port": 0}, id="any port"),
        pytest.param({"trust": TRUST, "port": 65535}, id="last port"),
    ],
)
def test_settings_that_go_together_exist(fields):
    assert Settings(**fields)


@pytest.mark.parametrize(
    ("fields", "faulty"),
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
            {"trust": TRUST, "master_key": Secret("x"), "master_key_file": PEM},
            ["master_key_file"],
            id="two master keys",
        ),
        pytest.param({"trust": TRUST, "data_dir": None}, ["data_dir"], id="no directory"),
        pytest.param({"trust": TRUST, "port": -1}, ["port"], id="negative port"),
        pytest.param({"trust": TRUST, "port": 65536}, ["port"], id="port too high"),
        pytest.param({"trust": TRUST, "max_body_size": 0}, ["max_body_size"], id="no body"),
        pytest.param({"trust": TRUST, "shutdown_timeout_s": -1}, ["shutdown_timeout_s"], id="past"),
        pytest.param(
            {"trust": TRUST, "shutdown_timeout_s": float("nan")}, ["shutdown_timeout_s"], id="nan"
        ),
        pytest.param({"trust": TRUST, "log_level": "loud"}, ["log_level"], id="log level"),
        pytest.param({"trust": TRUST, "log_format": "xml"}, ["log_format"], id="log format"),
        pytest.param({"trust": TRUST, "hostname": ""}, ["hostname"], id="no host"),
        pytest.param({"trust": TRUST, "default_username": ""}, ["default_username"], id="no user"),
        pytest.param({"trust": TRUST, "cache_size": -1}, ["cache_size"], id="cache size"),
        pytest.param({"port": -1, "tls_key_file": PEM}, ["port", "trust", "tls_key_file"], id="3"),
    ],
)
def test_settings_that_contradict_are_refused_all_at_once(fields, faulty):
    with pytest.raises(InconsistentSettings) as caught:
        Settings(**fields)
    assert [names[0] for names, _ in caught.value.faults] == faulty
    assert all(f"{name}: " in str(caught.value) for name in faulty)


def test_refusal_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="no issuer to trust"):
        Settings()


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Settings(dev=True).port = 1


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_secrets_are_not_shown(show):
    settings = Settings(
        trust=TRUST, master_key=Secret("c2VjcmV0"), database_url="postgresql://u:hunter2@h/d"
    )
    assert "c2VjcmV0" not in show(settings) + show(settings.master_key)
    assert "hunter2" not in show(settings)
    assert settings.master_key.value == "c2VjcmV0"


def test_issuer_of_dev_is_trusted_under_the_policy_that_was_configured():
    settings = Settings(
        dev=True, policy=TokenPolicy(leeway_s=1), refresh=RefreshPolicy(cooldown_s=0), cache_size=5
    )
    issuer = TrustedIssuer("http://127.0.0.1:1/")
    trust = settings.trust_in(issuer)
    assert trust.issuers == (issuer,)
    assert (trust.policy.leeway_s, trust.refresh.cooldown_s, trust.cache_size) == (1, 0, 5)
