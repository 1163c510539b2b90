"""Every command that reads a file: one that cannot be read is refused (exit code 1) with its name, whichever command reads it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kms_tornado.client import KMSClient
from kms_tornado.client.cli.root import kmsctl
from kms_tornado.client.cli.session import Session

from ...rows import each_row
from .runner import Kmsctl

#: "command / parameter" → a line of arguments: IN is the file that cannot be read, GOOD one that can be.
LINES = {
    "encrypt / files": "IN --for input-key",
    "decrypt / files": "IN",
    "sym keys import / file": "IN",
    "sym keys import / password_file": "GOOD --password-file IN",
    "sym encrypt / files": "IN -k input-key",
    "sym decrypt / files": "IN -k input-key",
    "rsa keys import / file": "IN",
    "rsa keys import / password_file": "GOOD --password-file IN",
    "rsa encrypt / file": "IN -k input-rsa",
    "rsa decrypt / file": "IN -k input-rsa",
    "rsa sign / file": "IN -k input-rsa",
    "rsa sign-verify / file": "IN GOOD -k input-rsa",
    "rsa sign-verify / signature_file": "GOOD IN -k input-rsa",
    "ec keys import / file": "IN",
    "ec keys import / password_file": "GOOD --password-file IN",
    "ec sign / file": "IN -k input-ec",
    "ec sign-verify / file": "IN GOOD -k input-ec",
    "ec sign-verify / signature_file": "GOOD IN -k input-ec",
    "secret-data create / value_file": "--value-file IN",
    "secret-data import / file": "IN",
    "secret-data import / password_file": "GOOD --password-file IN",
    "certificates import / file": "IN",
    "certificates import / password_file": "GOOD --format pkcs12 --password-file IN",
    "certificates encrypt / file": "IN -k input-rsa",
    "certificates decrypt / file": "IN -k input-rsa",
    "mac compute / words": "input-mac IN",
    "mac verify / words": "input-mac IN --mac 00",
    "hash / file": "IN -a sha256",
    "derive-key / password_file": "--password-file IN --salt 00",
    "batch / file": "IN",
}
#: What is written, and no input; or configuration, of which a mistake is one of usage.
OTHERS = ("output", "output_file", "names", "file_format", "configuration_file", "ca_file")


def find_inputs(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """ "command / parameter" for each parameter that names a file which is read."""
    context = click.Context(command, info_name="kmsctl", obj=Session({}))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None:
                yield from find_inputs(found, (*path, name))
        return
    for parameter in command.params:
        text = f"{parameter.metavar} {parameter.name} {type(parameter.type).__name__}".lower()
        if ("file" in text or "path" in text) and parameter.name not in OTHERS:
            yield f"{' '.join(path)} / {parameter.name}"


def test_every_parameter_that_names_a_file_is_tried() -> None:
    assert sorted(find_inputs(kmsctl)) == sorted(LINES)


@pytest.fixture(scope="module", autouse=True)
def keys(client: KMSClient) -> None:
    client.create_symmetric_key(name="input-key")


#: What it is → what is said of it.
UNREADABLE = {"missing": os.strerror(errno.ENOENT), "directory": os.strerror(errno.EISDIR)}


@each_row("at", LINES)
@each_row("kind", UNREADABLE)
def test_file_that_cannot_be_read_is_refused_by_its_name(
    at: str, kind: str, alice: Kmsctl, tmp_path: Path
) -> None:
    (tmp_path / "directory.kms").mkdir(exist_ok=True)
    (tmp_path / "good").write_text("text")
    words = {"IN": str(tmp_path / f"{kind}.kms"), "GOOD": str(tmp_path / "good")}
    line = [words.get(word, word) for word in LINES[at].split()]
    outcome = alice(*at.partition(" / ")[0].split(), *line)
    assert (outcome.code, outcome.output) == (1, b"")
    assert outcome.stderr.startswith(f"kmsctl: {words['IN']}")
    assert outcome.stderr.endswith(f": {UNREADABLE[kind]}\n")
    assert len(outcome.stderr.splitlines()) == 1
