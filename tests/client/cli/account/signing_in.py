"""kmsctl of somebody who signs in at an issuer: its configuration file, and a login."""

from __future__ import annotations

from pathlib import Path

from ..runner import Kmsctl, Outcome


def configured(
    home: Path, server_url: str, issuer_uri: str, *, connection: str = "", login: str = ""
) -> Kmsctl:
    """kmsctl with a configuration file in this home. connection, login: further lines of the two tables."""
    file = home / ".kms_tornado/kmsctl.toml"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(
        f'[http_config]\nserver_url = "{server_url}"\n{connection}\n'
        f'[http_config.oauth2_conf]\nclient_id = "kmsctl"\nissuer = "{issuer_uri}"\n{login}\n'
    )
    file.chmod(0o600)
    return Kmsctl(home, {"OAUTH2_REDIRECT_URL_PORT": "0", "DISPLAY": ":7"})


def login(kmsctl: Kmsctl, *argv: str) -> Outcome:
    outcome = kmsctl("login", *argv)
    assert outcome.code == 0, outcome.stderr
    return outcome
