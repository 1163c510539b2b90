"""docs/deploying.md: what it has the reader type comes to a service that makes keys, on a host and in containers."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from .. import postgres
from ..deploy.container_files import IMAGE, KMS, image_variables
from ..deploy.installation import UNIT, Host, install_lines, installed_host
from ..deploy.proxies import replace, write_certificate
from ..deploy.unit_file import SERVICE, systemd_analyze
from ..issuer import Issuer, response
from ..server import Client, environment, eventually, free_port
from ..terminal import path_with_kmsctl
from .blocks import block

PAGE = "docs/deploying.md"
INSTALL = block(PAGE, "sh", "useradd")
CONFIGURATION = block(PAGE, "toml", "jwt-issuer-uri")
CERTIFICATE = block(PAGE, "sh", "tls.crt")
CHECK = block(PAGE, "sh", "--print-config")
START = block(PAGE, "sh", "enable --now")
HEALTH = block(PAGE, "sh", "health --ready -c")
DATABASE = block(PAGE, "sh", "createdb")
DATABASE_URL = block(PAGE, "toml", "database-url")
UPGRADE = block(PAGE, "sh", "--upgrade")
IMAGE_BLOCK = block(PAGE, "sh", "docker build")
COMPOSE = block(PAGE, "sh", "docker compose")
TOKEN = block(PAGE, "sh", "KMS_TOKEN")
BLOCKS = [
    *(INSTALL, CONFIGURATION, CERTIFICATE, CHECK, START, HEALTH, DATABASE, DATABASE_URL, UPGRADE),
    *(IMAGE_BLOCK, COMPOSE, TOKEN),
]

REALM = "/realms/kms"
CERTS = f"{REALM}/protocol/openid-connect/certs"
TOKEN_PLACE = f"{REALM}/protocol/openid-connect/token"


@pytest.fixture(scope="module")
def host() -> Host:
    return installed_host()


@pytest.fixture(scope="module")
def cluster() -> postgres.Cluster:
    return postgres.cluster()


def run_until_ready(
    command: Sequence[str], variables: dict[str, str], check: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, once the other command ends with 0; it has to stop cleanly.

    That is asked once the port is open: each time it is a start of Python, of which the server needs the time itself.
    """
    process = subprocess.Popen(command, env=variables)

    def listens() -> bool:
        assert process.poll() is None, "the server ended"
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", int(variables["KMS_PORT"]))) == 0

    def is_ready() -> bool:
        assert process.poll() is None, "the server ended"
        asked = subprocess.run(check, env=variables, capture_output=True, timeout=60)
        return asked.returncode == 0

    try:
        eventually(listens, timeout_s=60)
        eventually(is_ready, timeout_s=60)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def without_pythonpath(**variables: str) -> dict[str, str]:
    """What is installed is to be found, and not this checkout."""
    inherited = environment(**variables)
    del inherited["PYTHONPATH"]
    return inherited


# --- on a host ----------------------------------------------------------------------------------


def test_lines_about_installing_are_those_of_the_unit() -> None:
    """Which `installed_host` runs."""
    of_unit = install_lines().splitlines()
    for line in [*INSTALL.text.splitlines(), *START.text.splitlines()]:
        assert line in of_unit


def test_installed_command_is_the_one_that_the_unit_starts(host: Host) -> None:
    [start] = SERVICE["ExecStart"]
    assert host.type(f"{start.split()[0]} --version").startswith("kms-tornado ")


def test_installed_unit_is_one_that_systemd_takes(host: Host, tmp_path: Path) -> None:
    unit = host.place("/etc/systemd/system") / UNIT.name
    (tmp_path / UNIT.name).write_text(host.text(unit.read_text()))
    assert systemd_analyze("verify", str(tmp_path / UNIT.name)) == ""


def test_installed_configuration_needs_an_issuer_and_nothing_else(host: Host) -> None:
    command = SERVICE["ExecStart"][0] + " --print-config"
    assert "jwt-issuer-uri" in host.type(f"! {command} 2>&1")
    printed = host.type(command, KMS_JWT_ISSUER_URI="https://login.example.com/")
    assert host.text('data-dir = "/var/lib/kms-tornado"') in printed


def test_user_of_the_unit_is_made_with_its_group_and_no_shell(host: Host) -> None:
    [user] = host.place("/etc/passwd").read_text().splitlines()
    name, *_, home, shell = user.split(":")
    assert [name] == SERVICE["User"]
    assert (home, shell) == ("/var/lib/" + SERVICE["StateDirectory"][0], "/usr/sbin/nologin")
    [group] = host.place("/etc/group").read_text().splitlines()
    assert [group.split(":")[0]] == SERVICE["Group"]


def test_new_version_is_installed_as_the_first_one() -> None:
    pip, restart = UPGRADE.text.splitlines()
    assert pip.replace("--upgrade ", "") in INSTALL.text
    assert restart == "systemctl restart kms-tornado"


def test_host_comes_to_a_service_that_makes_keys(host: Host, cluster: postgres.Cluster) -> None:
    programs = postgres.programs()
    if not (programs / "createdb").exists():
        pytest.skip("no createdb beside this PostgreSQL")
    directory = str(cluster.directory)
    port = free_port()
    # The port is another, and the user of the service, whom PostgreSQL knows, is played by a variable.
    variables = without_pythonpath(KMS_PORT=str(port), PGUSER="kms-tornado")
    owner = {"PGHOST": directory, "PGUSER": postgres.USER, "POSTGRES_PROGRAMS": str(programs)}
    with Issuer("ES256") as issuer:
        trust = write_certificate(host.checkout)
        shutil.copy(host.checkout / "kms.crt", host.checkout / "tls.crt")
        shutil.copy(host.checkout / "kms.key", host.checkout / "tls.key")
        host.type(CERTIFICATE.text)
        assert host.place("/etc/kms-tornado/tls.key").stat().st_mode & 0o777 == 0o640
        host.type(DATABASE.text, **owner)
        url = tomllib.loads(DATABASE_URL.text)["kms"]["database-url"]
        text = host.text(replace(CONFIGURATION.text, {"https://login.example.com/": issuer.uri}))
        url = replace(url, {"/run/postgresql": directory})
        host.place("/etc/kms-tornado/kms.toml").write_text(f'{text}database-url = "{url}"\n')
        assert "jwt-issuer-uri" in host.type(CHECK.text)
        host.type(START.text)
        assert host.take_calls("systemctl") == ["daemon-reload", "enable --now kms-tornado"]

        [start] = [line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart=")]
        command = shlex.split(host.text(start.removeprefix("ExecStart=")))
        check = shlex.split(host.text(HEALTH.text))
        for _ in run_until_ready(command, variables, check):
            client = Client(port, tls=ssl.create_default_context(cafile=trust))
            assert client.create(issuer.token(aud="my-kms"))
        assert host.place("/var/lib/kms-tornado/master.key").stat().st_mode & 0o777 == 0o600


# --- in containers ------------------------------------------------------------------------------


def test_commands_for_docker_have_options_that_docker_knows(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker is not installed")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    lines = IMAGE_BLOCK.text.replace("\\\n", "").splitlines()
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(
            [docker, *shlex.split(line)[1:]],
            cwd=tmp_path,
            env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody", "DOCKER_BUILDKIT": "0"},
            capture_output=True,
            text=True,
        )
        assert "daemon" in done.stderr, done.stderr


def test_container_of_the_page_is_confined_and_configured_as_the_image_reads_it() -> None:
    words = shlex.split(IMAGE_BLOCK.text)
    assert {"--read-only", "--cap-drop", "ALL", "no-new-privileges"} <= set(words)
    assert f"kms-data:{IMAGE['VOLUME']}" in words
    http, _kmip = IMAGE["EXPOSE"].split()
    assert f"127.0.0.1:9998:{http}" in words


@dataclass
class Container:
    """A server with the variables of the image and the composition, but for places that are not here."""

    host: Host
    issuer: Issuer
    data: Path
    variables: dict[str, str]

    def command(self, *words: str) -> list[str]:
        program = self.host.place("/opt/kms-tornado/venv/bin") / words[0]
        return [str(program), *words[1:]]

    def run(self, *words: str) -> str:
        """As `docker exec` does."""
        command = self.command(*words)
        return subprocess.run(
            command, env=self.variables, capture_output=True, text=True, check=True, timeout=60
        ).stdout


#: A root that is read-only, but for the data directory.
READ_ONLY = (
    'mount --bind "$KMS_DATA_DIR" "$KMS_DATA_DIR" && mount -o remount,bind,ro /'
    ' && ! touch "$0" 2>/dev/null && exec "$@"'
)


@pytest.fixture(scope="module")
def container(
    host: Host, cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("no name space of mounts here, for a root that is read-only")
    data = tmp_path_factory.mktemp("container")
    with Issuer("ES256", path=REALM) as issuer:
        issuer.answers[CERTS] = response({"keys": issuer.keys})
        token = issuer.token(aud=["kms", "account"], preferred_username="alice")
        issuer.answers[TOKEN_PLACE] = response({"access_token": token})
        given = {**image_variables(), **KMS["environment"]}
        of_server = {
            name: value.replace(f"http://localhost:8080{REALM}", issuer.uri)
            for name, value in given.items()
            if name.startswith("KMS_")
        }
        of_server["KMS_DATABASE_URL"] = cluster.new_database()
        of_server["KMS_DATA_DIR"] = str(data)
        of_server["KMS_PORT"] = str(free_port())
        made = Container(host, issuer, data, without_pythonpath(**of_server))
        confined = ["unshare", "--mount", "bash", "-c", READ_ONLY, str(host.root / "touched")]
        command = [*confined, *made.command(*json.loads(IMAGE["ENTRYPOINT"]))]
        check = made.command(*KMS["healthcheck"]["test"][1:])
        for _ in run_until_ready(command, made.variables, check):
            yield made


def test_health_checks_of_image_and_composition_are_content(container: Container) -> None:
    of_image = json.loads(IMAGE["HEALTHCHECK"].partition("CMD ")[2])
    assert container.run(*of_image) == "alive\n"
    assert container.run(*KMS["healthcheck"]["test"][1:]) == "ready\n"


def test_composition_comes_to_a_key_of_alice(container: Container, tmp_path: Path) -> None:
    """On a root that is read-only."""
    host = container.host
    host.type(COMPOSE.text)
    assert host.take_calls("docker") == ["compose up --build --detach --wait"]
    passwords = host.checkout / ".env"
    assert passwords.stat().st_mode & 0o777 == 0o600
    assert [line.split("=")[0] for line in passwords.read_text().splitlines()] == [
        *("POSTGRES_PASSWORD", "KEYCLOAK_PASSWORD", "ALICE_PASSWORD")
    ]
    changes = {
        f"http://localhost:8080{REALM}": container.issuer.uri,
        "localhost:9998": f"localhost:{container.variables['KMS_PORT']}",
    }
    variables = {"PATH": path_with_kmsctl(tmp_path), "HOME": str(tmp_path)}
    typed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", replace(TOKEN.text, changes)],
        cwd=host.checkout,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert typed.returncode == 0, typed.stderr
    assert "reports" in typed.stdout
    assert sorted(path.name for path in container.data.iterdir()) == [
        *("audit-anchor.json", "audit.key", "audit.key.pub", "issuer-keys", "master.key")
    ]


def test_token_for_another_audience_of_the_realm_is_refused(container: Container) -> None:
    client = Client(int(container.variables["KMS_PORT"]))
    token = container.issuer.token(aud="account", preferred_username="alice")
    assert client.get("/whoami", token=token).status == 401
