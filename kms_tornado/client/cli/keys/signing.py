"""The verbs `sign` and `sign-verify` of RSA and elliptic-curve keys."""

from __future__ import annotations

import click

from ..key_names import use_half
from ..output import show_json
from ..session import Session
from .encrypting import default_output
from .nouns import Noun
from .options import existing, name_of
from .saving import STREAM, check_replaceable, read_input, show_written, write_output


def make_sign(noun: Noun) -> click.Command:
    @click.command(epilog=f"kmsctl {noun.words} sign --key-id signing FILE")
    @click.argument("file", metavar="FILE")
    @existing(noun, positional=False)
    @click.option(
        "output",
        "--output-file",
        "-o",
        metavar="FILE",
        help="Where to; FILE.sig in place of its suffix, unless given. - is stdout.",
    )
    @click.option(
        "is_digest", "--digested", is_flag=True, help="The file holds the digest of the data."
    )
    @click.option("replaces", "--force", is_flag=True, help="Replace the output if it is there.")
    @click.pass_obj
    def sign(
        session: Session,
        file: str,
        key_id: str | None,
        tags: tuple[str, ...],
        output: str | None,
        is_digest: bool,
        replaces: bool,
    ) -> None:
        """Sign a file by a private key: PSS by RSA keys, ECDSA or Ed25519 by the others."""
        output = output or default_output(file, "sig")
        check_replaceable(output, replaces=replaces)
        data, digest = _data(file, is_digest=is_digest)
        signature = use_half(
            session,
            name_of(None, key_id),
            tags,
            lambda key: session.client.sign(key, data, digest=digest),
            is_public=False,
        )
        write_output(output, signature, replaces=replaces)
        show_written(session, output, f"{output} holds the signature.")

    return sign


def make_verify(noun: Noun) -> click.Command:
    @click.command(epilog=f"kmsctl {noun.words} sign-verify --key-id signing FILE FILE.sig")
    @click.argument("file", metavar="FILE")
    @click.argument("signature_file", metavar="SIGNATURE_FILE")
    @existing(noun, positional=False)
    @click.option(
        "is_digest", "--digested", is_flag=True, help="The file holds the digest of the data."
    )
    @click.pass_obj
    def verify(
        session: Session,
        file: str,
        signature_file: str,
        key_id: str | None,
        tags: tuple[str, ...],
        is_digest: bool,
    ) -> int:
        """Check the signature of a file by a public key. Exit 1 where it is not valid."""
        if file == signature_file == STREAM:
            raise click.UsageError("stdin is either the file or the signature")
        signature = read_input(signature_file)
        data, digest = _data(file, is_digest=is_digest)
        is_valid: bool = use_half(
            session,
            name_of(None, key_id),
            tags,
            lambda key: session.client.verify(key, signature, data, digest=digest),
            is_public=True,
        )
        if session.is_json:
            show_json({"is_valid": is_valid})
            return 0 if is_valid else 1
        if not is_valid:
            raise click.ClickException(
                f"{signature_file} is no signature of {file} by this key: use neither"
            )
        print("valid")
        return 0

    return verify


def _data(file: str, *, is_digest: bool) -> tuple[bytes | None, bytes | None]:
    """(data, digest): one of the two. Data are sent to the server, which hashes them."""
    octets = read_input(file, most_bytes=None)
    return (None, octets) if is_digest else (octets, None)
