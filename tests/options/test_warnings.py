"""What may be meant, and is seldom, is a warning."""

from __future__ import annotations

import pytest

from kms_tornado.options import parse

from .helpers import TRUSTING


@pytest.mark.parametrize(
    ("argv", "environ", "warnings"),
    [
        pytest.param([*TRUSTING, "--jwt-audience=a"], {}, [], id="none"),
        pytest.param(
            ["--insecure-no-auth", "--jwt-leeway=1"],
            {},
            ["--jwt-leeway (flag): has no effect with --insecure-no-auth"],
            id="no authentication",
        ),
        pytest.param(
            ["--dev", "--default-username=root"],
            {},
            ["--default-username (flag): has no effect without --insecure-no-auth"],
            id="user name without effect",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-audience=a", "--hostname=0.0.0.0"],
            {},
            ["--hostname (flag): bearer tokens pass in clear text unless a proxy adds TLS"],
            id="clear text",
        ),
        pytest.param(
            ["--dev", "--jwks-refresh-interval=1"],
            {},
            [
                "--jwks-refresh-interval (flag): shorter than --jwks-cooldown, which takes precedence"
            ],
            id="refresh interval below the cooldown",
        ),
        pytest.param(
            ["--dev", "--database-url=postgresql://u:hunter2@h/d"],
            {},
            [
                "--database-url (flag): everybody on this host can read its password in the list of "
                "processes"
            ],
            id="password on the command line",
        ),
        pytest.param(
            ["--dev", "--database-url=postgresql://u@h/d"], {}, [], id="no password on it"
        ),
        pytest.param(
            ["--dev"],
            {"KMS_DATABASE_URL": "postgresql://u:hunter2@h/d"},
            [],
            id="a hidden password",
        ),
        pytest.param(
            ["--dev"],
            {"KMS_JWT_ISUER_URI": "x", "KMS_COLOUR": "x", "KMS_EMPTY": "", "KMSCTL_CONF": "x"},
            [
                "KMS_COLOUR (environment): unknown variable, not read",
                "KMS_JWT_ISUER_URI (environment): unknown variable, not read; "
                "did you mean KMS_JWT_ISSUER_URI?",
            ],
            id="unknown variables",
        ),
        pytest.param(
            ["--dev"],
            {"KMS_SERVICE_HOST": "10.0.0.1", "KMS_PORT_9998_TCP_ADDR": "10.0.0.1"},
            [],
            id="variables that Kubernetes sets",
        ),
        pytest.param(
            ["--dev"],
            {"KMS_URL": "http://127.0.0.1:9998", "KMS_TOKEN": "eyJ"},
            [],
            id="variables of kmsctl",
        ),
    ],
)
def test_what_may_be_meant_is_a_warning(argv, environ, warnings):
    assert list(parse(argv, environ).warnings) == warnings


def test_variables_of_kmsctl_say_nothing_to_the_server():
    """An exported token must not become a setting, and turn up in --print-config."""
    plain = parse(["--dev"], {})
    assert parse(["--dev"], {"KMS_URL": "http://x", "KMS_TOKEN": "eyJ"}).settings == plain.settings
