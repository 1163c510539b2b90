"""Passwords of encrypted files: typed, or read from a file. They should not be among the arguments."""

from __future__ import annotations

import sys

import click

from ..output import warn
from .saving import read_input


def read_password(file: str | None, argument: str | None = None) -> bytes | None:
    """The password that was given; None where there was none. argument: the value of one of ckms's options."""
    if argument is not None:
        warn_of_argument("the password", "--password-file")
        return argument.encode()
    if file is None:
        return None
    return read_input(file).removesuffix(b"\n").removesuffix(b"\r")


def ask_password(what: str) -> bytes:
    """Ask the person at the terminal. Raises click.UsageError where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"{what}: give its password with --password-file")
    answer: str = click.prompt(f"{what[0].upper()}{what[1:]}. Password", hide_input=True, err=True)
    return answer.encode()


def ask_new_secret(what: str) -> bytes:
    """Ask for something new, twice. Raises click.UsageError where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"nobody is here to be asked for {what}: give --value-file")
    answer: str = click.prompt(
        what.capitalize(), hide_input=True, confirmation_prompt="The same again", err=True
    )
    return answer.encode()


def warn_of_argument(what: str, instead: str) -> None:
    warn(f"warning: {what} in the arguments is seen by every user of this machine: use {instead}")
