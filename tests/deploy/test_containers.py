"""Dockerfile, .dockerignore and compose.yaml: they parse, and what they name does what it should.

No engine builds them here. What the image installs is installed on `installation.Host`; the server runs from
there in tests/docs/test_deploying.py, as the page about it says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from ..server import ROOT
from .container_files import (
    BUILD,
    FINAL,
    IMAGE,
    KMS,
    compose,
    image_variables,
    instructions,
)
from .installation import BUILT_FROM, Host, install_lines

# --- the image ----------------------------------------------------------------------------------


def test_instructions_of_the_dockerfile_are_ones_that_there_are() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "VOLUME", "ENV", "EXPOSE", "USER", "HEALTHCHECK"}
    assert {name for name, _ in instructions()} <= {*known, "ENTRYPOINT"}


def test_both_stages_have_the_same_python_or_the_environment_would_not_work() -> None:
    assert BUILD[0][1].removesuffix(" AS build") == FINAL[0][1]


def test_image_is_built_from_what_the_package_needs_and_nothing_else() -> None:
    copied = [path for name, rest in BUILD if name == "COPY" for path in rest.split()[:-1]]
    assert sorted(copied) == sorted(BUILT_FROM)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied)


def test_image_is_installed_by_the_lines_that_the_unit_names() -> None:
    """Which `installed_host` runs."""
    [run] = [rest for name, rest in BUILD if name == "RUN"]
    for line in run.replace("--no-cache-dir ", "").split("&& "):
        assert line.strip() in install_lines().splitlines()


def test_data_directory_of_the_image_is_made_for_its_user(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("useradd", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("the lines are for root, on a host with useradd")
    host = Host(tmp_path)
    host.type(IMAGE["RUN"])
    status = host.place(image_variables()["KMS_DATA_DIR"]).stat()
    assert IMAGE["USER"] == f"{status.st_uid}:{status.st_gid}" != "0:0"
    assert status.st_mode & 0o777 == 0o700
    [user] = host.place("/etc/passwd").read_text().splitlines()
    assert user.split(":")[2] == str(status.st_uid)


def test_volume_is_the_data_directory() -> None:
    data = image_variables()["KMS_DATA_DIR"]
    assert data == IMAGE["VOLUME"]
    assert KMS["volumes"] == [f"kms-data:{data}"]


# --- the composition ----------------------------------------------------------------------------


def test_services_wait_for_services_that_there_are() -> None:
    whole = compose()
    services = whole["services"]
    assert set(KMS["depends_on"]) <= set(services)
    assert KMS["network_mode"] == "service:keycloak"
    for name, how in KMS["depends_on"].items():
        assert how["condition"] == "service_started" or "healthcheck" in services[name]
    named = [volume for one in services.values() for volume in one["volumes"] if volume[0] != "."]
    assert {volume.split(":")[0] for volume in named} == set(whole["volumes"])


def test_nothing_is_published_beyond_the_machine() -> None:
    """Neither the server nor Keycloak has TLS there."""
    published = [port for one in compose()["services"].values() for port in one.get("ports", ())]
    assert sorted(published) == ["127.0.0.1:8080:8080", "127.0.0.1:9998:9998"]


def test_server_is_confined() -> None:
    assert KMS["read_only"] is True
    assert KMS["cap_drop"] == ["ALL"]
    assert KMS["security_opt"] == ["no-new-privileges:true"]


def test_server_and_database_agree() -> None:
    database = compose()["services"]["postgres"]["environment"]
    url = "postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@postgres:5432/{POSTGRES_DB}"
    assert KMS["environment"]["KMS_DATABASE_URL"] == url.format(**database)


def test_server_and_issuer_agree() -> None:
    keycloak = compose()["services"]["keycloak"]
    realm = json.loads((ROOT / "conf/keycloak-realm.json").read_text())
    variables = KMS["environment"]
    assert variables["KMS_JWT_ISSUER_URI"] == (
        f"{keycloak['environment']['KC_HOSTNAME']}/realms/{realm['realm']}"
    )
    [client] = realm["clients"]
    [mapper] = client["protocolMappers"]
    assert mapper["config"]["included.custom.audience"] == variables["KMS_JWT_AUDIENCE"]
    [mounted] = keycloak["volumes"]
    assert (ROOT / mounted.split(":")[0]).is_file()
    assert "--import-realm" in keycloak["command"]


def test_passwords_of_the_realm_come_from_the_environment() -> None:
    realm = (ROOT / "conf/keycloak-realm.json").read_text()
    given = compose()["services"]["keycloak"]["environment"]
    asked = re.findall(r'"value": "(.*?)"', realm)
    assert asked == ["${ALICE_PASSWORD}"]
    assert set(re.findall(r"\$\{(\w+)\}", realm)) <= set(given)
