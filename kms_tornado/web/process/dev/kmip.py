"""The certificates of --dev: a CA, the server's pair, and a pair for each user, as files for KMIP clients."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ....crypto.tls.throw_away_ca import Pair, ThrowAwayCA
from ....errors import ConfigurationError
from .issuer import USERS

_CONFIGURATION = "pykmip.conf"


class DevKMIP(NamedTuple):
    """What --dev prints for KMIP clients. variables: {name: value} for the shell. configuration: PyKMIP's."""

    variables: Mapping[str, str]
    configuration: Path


@dataclass(frozen=True, slots=True)
class DevCertificates:
    """The paths of the files. clients: {user: (certificate, key)}."""

    directory: Path
    authority: Path
    server: tuple[Path, Path]
    clients: dict[str, tuple[Path, Path]]

    @property
    def configuration(self) -> Path:
        """PyKMIP's configuration file, with a section for each user; the first one is PyKMIP's default, ``client``."""
        return self.directory / _CONFIGURATION

    def describe(self, host: str, port: int) -> DevKMIP:
        """Write the configuration, once the port is known, and return what to print."""
        self._write_configuration(host, port)
        alice, bob = (self.clients[user] for user in USERS)
        variables = {
            "KMIP_HOST": host,
            "KMIP_PORT": str(port),
            "KMIP_CA": str(self.authority),
            "KMIP_CERT": str(alice[0]),
            "KMIP_KEY": str(alice[1]),
            "KMIP_BOB_CERT": str(bob[0]),
            "KMIP_BOB_KEY": str(bob[1]),
        }
        return DevKMIP(variables, self.configuration)

    def _write_configuration(self, host: str, port: int) -> None:
        sections = []
        for number, (user, (certificate, key)) in enumerate(self.clients.items()):
            values = {
                "host": host,
                "port": port,
                "certfile": certificate,
                "keyfile": key,
                "ca_certs": self.authority,
                "cert_reqs": "CERT_REQUIRED",
                "ssl_version": "PROTOCOL_TLS",  # PyKMIP names no host, which PROTOCOL_TLS_CLIENT would check
                "do_handshake_on_connect": True,
                "suppress_ragged_eofs": True,
            }
            name = "client" if number == 0 else _short_name(user)
            sections.append(
                "\n".join([f"[{name}]", *(f"{name}={value}" for name, value in values.items())])
            )
        self.configuration.write_text("\n\n".join(sections) + "\n")


def write_certificates(directory: Path, host: str) -> DevCertificates:
    """Make all certificates anew, in a directory that only the user of this process may enter.

    host: the name by which the server is reached. Raises ConfigurationError about data_dir.
    """
    directory = directory.absolute()  # clients start elsewhere
    authority = ThrowAwayCA("kms_tornado --dev")
    hosts = list(dict.fromkeys([host, "localhost", "127.0.0.1", "::1"]))
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)
        (directory / "ca.pem").write_bytes(authority.certificate)
        server = _write_pair(directory, "server", authority.issue_server(hosts))
        clients = {
            user: _write_pair(directory, _short_name(user), authority.issue_client(user))
            for user in USERS
        }
    except OSError as exc:
        raise ConfigurationError(f"{exc.filename}: {exc.strerror}", "data_dir") from None
    return DevCertificates(directory, directory / "ca.pem", server, clients)


def _write_pair(directory: Path, name: str, pair: Pair) -> tuple[Path, Path]:
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    certificate.write_bytes(pair.certificate)
    key.unlink(missing_ok=True)
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pair.key)
    return certificate, key


def _short_name(user: str) -> str:
    return user.partition("@")[0]
