"""What may be meant, and is seldom, is a warning."""

from __future__ import annotations

import pytest

from kms_tornado.options import parse

from ..rows import each_row
from .helpers import TRUSTING

NO_TLS = (
    "NO TLS: everybody on the way reads the bearer tokens and the keys; set --tls-cert-file and "
    "--tls-key-file, or name the proxies that add TLS with --trusted-proxies"
)
EVERYBODY = (
    "EVERYBODY IS TRUSTED ({}): any client chooses the address that the log and the limits know it by; "
    "name the proxies' own networks"
)


@each_row(
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
            [f"--hostname (flag): {NO_TLS}"],
            id="clear text",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-audience=a"],
            {"KMS_HOSTNAME": "kms.example"},
            [f"--hostname (environment KMS_HOSTNAME): {NO_TLS}"],
            id="clear text by a name",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-audience=a", "--hostname=::", "--trusted-proxies=10.0.0.7"],
            {},
            [],
            id="clear text to a proxy",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-audience=a", "--hostname=localhost"], {}, [], id="loopback by name"
        ),
        pytest.param(
            [*TRUSTING, "--kmip-hostname=::1", "--kmip-crypto-policy=permissive"],
            {"KMS_KMIP_USER_FROM": "san-uri"},
            [
                "--kmip-hostname (flag): has no effect without --kmip-port",
                "--kmip-user-from (environment KMS_KMIP_USER_FROM): has no effect without --kmip-port",
                "--kmip-crypto-policy (flag): has no effect without --kmip-port",
            ],
            id="KMIP over TLS that is off",
        ),
        pytest.param(["--dev", "--kmip-user-from=san-uri"], {}, [], id="KMIP over TLS of --dev"),
        pytest.param(
            ["--dev", "--jwks-allow-http=keycloak", "--jwt-tenants=x", "--jwt-leeway=1"],
            {"KMS_JWKS_CA_FILE": __file__},
            [
                "--jwks-ca-file (environment KMS_JWKS_CA_FILE): has no effect with --dev, whose issuer is here",
                "--jwks-allow-http (flag): has no effect with --dev, whose issuer is here",
                "--jwt-tenants (flag): has no effect: no issuer has {tenantid} in it",
            ],
            id="what the issuer of --dev has no use for",
        ),
        pytest.param(
            ["--dev", "--jwt-user-namespace=issuer", "--data-dir=kept"],
            {},
            [
                "--jwt-user-namespace (flag): the issuer of --dev has another name after each start, and users "
                "with it: nobody finds their keys again"
            ],
            id="kept keys of users that are named by the issuer of --dev",
        ),
        pytest.param(["--dev", "--jwt-user-namespace=issuer"], {}, [], id="keys that are not kept"),
        pytest.param(["--dev", "--data-dir=kept"], {}, [], id="users without the issuer"),
        pytest.param(
            [*TRUSTING, "--ui-client-id=page"],
            {},
            ["--ui-client-id (flag): has no effect without --ui"],
            id="a client of no page",
        ),
        pytest.param([*TRUSTING, "--ui-client-id=page", "--ui"], {}, [], id="a client of the page"),
        pytest.param(
            [*TRUSTING, "--jwt-dpop-nonce", "--jwt-bound-tokens=off"],
            {},
            ["--jwt-dpop-nonce (flag): has no effect with --jwt-bound-tokens off"],
            id="a nonce for proofs that nobody checks",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-audience=a,b", "--auditors=carol,dan"],
            {"KMS_JWT_TOKEN_TYPES": "JWT,absent"},
            [
                f"{option} (flag): one value has commas, which separate values in the environment alone"
                for option in ("--jwt-audience", "--auditors")
            ],
            id="values of a variable in one flag",
        ),
        pytest.param(
            ["--jwt-auth-provider=https://a,,kms;https://b"],
            {},
            [
                "--jwt-auth-provider (flag): one value has semicolons, which separate values in the "
                "environment alone"
            ],
            id="two providers in one flag",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-required-claim=a=b,c=d", "--auditors=cn=carol,ou=audit"],
            {},
            [],
            id="names of a directory",
        ),
        pytest.param(
            ["--dev", "--trusted-proxies=0.0.0.0/0"],
            {},
            [f"--trusted-proxies (flag): {EVERYBODY.format('0.0.0.0/0')}"],
            id="everybody is a proxy",
        ),
        pytest.param(
            ["--dev", "--trusted-proxies=::/1", "--trusted-proxies=8000::/1"],
            {},
            [f"--trusted-proxies (flag): {EVERYBODY.format('::/0')}"],
            id="everybody is one, in two halves",
        ),
        pytest.param(
            ["--dev"],
            {"KMS_TRUSTED_PROXIES": "::ffff:0:0/96"},
            [
                f"--trusted-proxies (environment KMS_TRUSTED_PROXIES): {EVERYBODY.format('0.0.0.0/0')}"
            ],
            id="everybody is one, in mapped addresses",
        ),
        pytest.param(
            ["--dev", "--trusted-proxies=10.0.0.0/8", "--trusted-proxies=fd00::/8"],
            {},
            [],
            id="proxies of one's own",
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
