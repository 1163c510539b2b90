"""`kmsctl configure`: asks for what is missing, tries it on the server, and writes the file."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...configuration.configuration import Configuration, override, parse_configuration
from ...configuration.edit import edit_configuration
from ...configuration.file import NamedFile, default_file, find_configuration_file, read_text
from ...private_files import write_private_file
from ..output import say, show_value
from ..session import Session
from .configure_questions import Flags, ask_for_login, ask_for_server, check_server


@click.command()
@click.option("--server-url", metavar="URL", help="The URL of the server.")
@click.option(
    "--ca-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The authority that vouches for the server's certificate, PEM.",
)
@click.option("--issuer", metavar="URL", help="Who gives out tokens; the server is asked for it.")
@click.option(
    "--authorize-url", metavar="URL", help="Where to sign in, for an issuer that does not tell it."
)
@click.option("--token-url", metavar="URL", help="Where tokens are given out, for such an issuer.")
@click.option("--client-id", metavar="ID", help="The name under which the issuer knows kmsctl.")
@click.option(
    "--client-secret-stdin",
    is_flag=True,
    help="Read the client's secret from stdin; most issuers give programs none.",
)
@click.option(
    "--scope",
    "scopes",
    metavar="SCOPE",
    multiple=True,
    help="What the token is to be good for; may be repeated.",
)
@click.option("--no-login", "without_login", is_flag=True, help="Do not ask where you sign in.")
@click.option(
    "--no-check", "without_check", is_flag=True, help="Write the file without asking the server."
)
@click.pass_obj
def configure(session: Session, /, client_secret_stdin: bool, **options: Any) -> None:
    """Write down which server you use, and where you sign in.

    Asks for what no option gives, and tries the server before anything is written. The file is
    ~/.kms_tornado/kmsctl.toml, or the one of --conf; its comments and other keys are kept.

    \b
    kmsctl configure
    kmsctl configure --server-url https://kms.example.com:9998 --client-id kmsctl
    """  # fmt: skip
    flags = Flags(**options)
    target, text, current = _start(session)
    above = override(current, session.environ, server_url=session.options.server_url)
    configuration = replace(
        current,
        server_url=ask_for_server(flags, above).rstrip("/"),
        ca_file=flags.ca_file.absolute() if flags.ca_file else current.ca_file,
        accept_invalid_certs=session.options.accepts_invalid_certs or current.accept_invalid_certs,
    )
    configuration, facts = check_server(flags, configuration)
    login = ask_for_login(flags, current.oauth2, facts)
    if login and client_secret_stdin:
        login["client_secret"] = sys.stdin.readline().strip() or None
    _write(target, text, configuration, login)
    show_value(str(target), name="configuration_file")
    say("Next: kmsctl login" if login else "Next: kmsctl whoami")


def _start(session: Session) -> tuple[Path, str, Configuration]:
    """(the file that is written, its text so far, what that text says).

    A file of ours is preferred to one of cKMS, so a new one starts as a copy of theirs.
    """
    configured_path = session.options.configuration_file or session.environ.get("KMSCTL_CONF")
    target = (Path(configured_path) if configured_path else default_file()).absolute()
    start = NamedFile(target) if target.exists() else None
    if start is None and not configured_path:
        start = find_configuration_file(session.environ)
    if start is None:
        return target, "", Configuration()
    text, current = read_text(start)
    if start.path != target:
        say(f"{target} starts as a copy of {start.path}, and goes before it from now on.")
    return target, text, current


def _write(target: Path, text: str, configuration: Configuration, login: dict[str, Any]) -> None:
    connection: dict[str, Any] = {"server_url": configuration.server_url}
    if configuration.ca_file is not None:
        connection["ca_file"] = str(configuration.ca_file)
    if configuration.accept_invalid_certs:
        connection["accept_invalid_certs"] = True
    changes = {"http_config": connection, "http_config.oauth2_conf": login}
    edited = edit_configuration(text, changes, str(target))
    parse_configuration(edited, str(target))  # refuses here what it would refuse later
    write_private_file(target, edited.encode())
