"""A `ckms.toml` as Cosmian documents it, unchanged: its server certificate, client certificate, proxy and headers."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from tests.connect_proxy import ConnectProxy
from tests.issuer import write_tls_files
from tests.keys import certificate, private_pem, rsa_key

from ...front import Front, fronting
from ..conftest import Place
from ..runner import Kmsctl

NAME = "kms.test"  # resolves nowhere: only the proxy knows the way
PASSWORD = "pa55word"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The server's certificate and key, the client's as two files and as one."""
    server, client = rsa_key(2048, "front"), rsa_key(2048, "client")
    server_pem = certificate(server, names=(NAME,))
    client_pem = certificate(client, names=("oracle-client",), addresses=())
    server_files = write_tls_files(tmp_path_factory.mktemp("tls"), server_pem, private_pem(server))
    client_files = write_tls_files(
        tmp_path_factory.mktemp("client"), client_pem, private_pem(client)
    )
    bundle = client_files[0].with_name("client.p12")
    bundle.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"oracle",
            client,
            x509.load_pem_x509_certificate(client_pem),
            None,
            BestAvailableEncryption(PASSWORD.encode()),
        )
    )
    return {
        "server": server_files[0],
        "server_key": server_files[1],
        "client": client_files[0],
        "client_key": client_files[1],
        "bundle": bundle,
    }


@pytest.fixture(scope="module")
def front(place: Place, files: dict[str, Path]) -> Iterator[Front]:
    """The server behind TLS that only lets clients with a certificate in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files["client"]))
    context.load_cert_chain(files["server"], files["server_key"])
    context.verify_mode = ssl.CERT_REQUIRED
    with fronting(int(place.url.rpartition(":")[2]), context) as front:
        yield front


@pytest.fixture
def kmsctl(tmp_path: Path) -> Kmsctl:
    return Kmsctl(tmp_path)


def write(home: Path, text: str) -> None:
    path = home / ".cosmian" / "ckms.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def ckms_file(port: int, files: dict[str, Path], token: str, certificate_lines: str) -> str:
    return f'''
print_json = false
vendor_id = "cosmian"

[http_config]
server_url = "https://127.0.0.1:{port}"
access_token = "{token}"
verified_cert = """
{files["server"].read_text()}"""
{certificate_lines}
custom_headers = ["X-Tenant: acme", "X-Trace: 1"]
cipher_suites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"

[gmail_api_conf]
type = "service_account"
'''


def pem_lines(files: dict[str, Path], prefix: str = "tls") -> str:
    return (
        f'{prefix}_client_pem_cert_path = "{files["client"]}"\n'
        f'{prefix}_client_pem_key_path = "{files["client_key"]}"'
    )


def bundle_lines(files: dict[str, Path], password: str = PASSWORD) -> str:
    return (
        f'tls_client_pkcs12_path = "{files["bundle"]}"\ntls_client_pkcs12_password = "{password}"'
    )


def test_pem_pair_pinned_certificate_headers_and_token_reach_the_server(
    kmsctl: Kmsctl, place: Place, front: Front, files: dict[str, Path], tmp_path: Path
) -> None:
    token = place.token("alice@example.com")
    write(tmp_path, ckms_file(front.port, files, token, pem_lines(files)))
    outcome = kmsctl("whoami")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stderr == ""
    assert "name\talice@example.com" in outcome.lines
    headers, client = front.requests[-1]
    assert client == "oracle-client"
    assert headers["X-Tenant"] == "acme"
    assert headers["X-Trace"] == "1"
    assert headers["Authorization"] == f"Bearer {token}"


def test_pkcs12_file_is_shown_to_the_server(
    kmsctl: Kmsctl, front: Front, files: dict[str, Path], tmp_path: Path
) -> None:
    write(tmp_path, ckms_file(front.port, files, "a.b.c", bundle_lines(files)))
    outcome = kmsctl("server-version")
    assert outcome.code == 0, outcome.stderr
    assert front.requests[-1][1] == "oracle-client"


def test_older_names_work_with_one_warning(
    kmsctl: Kmsctl, front: Front, files: dict[str, Path], tmp_path: Path
) -> None:
    write(tmp_path, ckms_file(front.port, files, "a.b.c", pem_lines(files, "ssl")))
    outcome = kmsctl("server-version")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert "ssl_client_… is now called tls_client_…" in outcome.stderr
    assert front.requests[-1][1] == "oracle-client"


def test_wrong_password_is_one_line_without_it(
    kmsctl: Kmsctl, front: Front, files: dict[str, Path], tmp_path: Path
) -> None:
    write(tmp_path, ckms_file(front.port, files, "a.b.c", bundle_lines(files, "wr0ng")))
    outcome = kmsctl("server-version")
    assert outcome.code == 2
    assert outcome.stderr.count("\n") == 1
    assert "wr0ng" not in outcome.stderr


def test_client_without_its_certificate_is_not_let_in(
    kmsctl: Kmsctl, front: Front, files: dict[str, Path], tmp_path: Path
) -> None:
    write(tmp_path, ckms_file(front.port, files, "a.b.c", ""))
    outcome = kmsctl("server-version")
    assert outcome.code == 3
    assert outcome.stderr.count("\n") == 1


def test_server_with_another_certificate_is_not_believed(
    kmsctl: Kmsctl, front: Front, files: dict[str, Path], tmp_path: Path
) -> None:
    wrong = {**files, "server": files["client"]}
    write(tmp_path, ckms_file(front.port, wrong, "a.b.c", pem_lines(files)))
    seen = len(front.requests)
    outcome = kmsctl("server-version")
    assert outcome.code == 3
    assert "another certificate than the one in verified_cert" in outcome.stderr
    assert len(front.requests) == seen


# --- the proxy ----------------------------------------------------------------------------------

PROXIED = """
[http_config]
server_url = "https://{name}:443"
ca_file = "{server}"
tls_client_pem_cert_path = "{client}"
tls_client_pem_key_path = "{client_key}"

[http_config.proxy_params]
url = "http://127.0.0.1:{port}"
{lines}
"""


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        pytest.param("", None, id="without a password"),
        pytest.param(
            'basic_auth_username = "u"\nbasic_auth_password = "p"\nexclusion_list = ["other.test"]',
            "Proxy-Authorization: Basic dTpw",
            id="name and password",
        ),
        pytest.param(
            'custom_auth_header = "Bearer of-the-proxy"',
            "Proxy-Authorization: Bearer of-the-proxy",
            id="header",
        ),
    ],
)
def test_server_is_reached_through_the_proxy(
    lines: str,
    header: str | None,
    kmsctl: Kmsctl,
    front: Front,
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    proxy = ConnectProxy(front.port)
    write(tmp_path, PROXIED.format(name=NAME, port=proxy.port, lines=lines, **files))
    with contextlib.closing(proxy):
        outcome = kmsctl("server-version")
    assert outcome.code == 0, outcome.stderr
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {NAME}:443 ")
    name, _, value = (header or "").partition(" ")
    assert name.lower() in head.lower()
    assert value in head
    assert header is not None or "authorization" not in head.lower()


def test_host_of_the_exclusion_list_is_reached_without_the_proxy(
    kmsctl: Kmsctl, front: Front, files: dict[str, Path], tmp_path: Path
) -> None:
    proxy = ConnectProxy(front.port)
    text = PROXIED.format(
        name=NAME, port=proxy.port, lines='exclusion_list = ["127.0.0.1"]', **files
    )
    write(tmp_path, text.replace(f"https://{NAME}:443", f"https://127.0.0.1:{front.port}"))
    with contextlib.closing(proxy):
        outcome = kmsctl("server-version")
    assert outcome.code == 0, outcome.stderr
    assert proxy.heads == []
