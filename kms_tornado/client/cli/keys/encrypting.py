"""The verbs `encrypt` and `decrypt` of RSA keys and certificates: one request for a few bytes."""

from __future__ import annotations

from pathlib import Path

import click

from ....kmip.enums import HashingAlgorithm, PaddingMethod
from ....kmip.structures import CryptographicParameters
from ..key_names import Key, use_half
from ..session import Session
from .nouns import Noun
from .options import existing, name_of, with_options
from .saving import (
    STREAM,
    check_replaceable,
    is_printable,
    read_input,
    show_written,
    write_output,
)

#: ckms's names of the algorithms, which are PKCS#11's.
ALGORITHMS = {
    "ckm-rsa-pkcs": PaddingMethod.PKCS1_V1_5,
    "ckm-rsa-pkcs-oaep": PaddingMethod.OAEP,
}

HASHES = {
    "sha1": HashingAlgorithm.SHA_1,
    "sha224": HashingAlgorithm.SHA_224,
    "sha256": HashingAlgorithm.SHA_256,
    "sha384": HashingAlgorithm.SHA_384,
    "sha512": HashingAlgorithm.SHA_512,
    "sha3-224": HashingAlgorithm.SHA3_224,
    "sha3-256": HashingAlgorithm.SHA3_256,
    "sha3-384": HashingAlgorithm.SHA3_384,
    "sha3-512": HashingAlgorithm.SHA3_512,
}


def make_encrypt(noun: Noun) -> click.Command:
    return _make(noun, "encrypt", "enc")


def make_decrypt(noun: Noun) -> click.Command:
    return _make(noun, "decrypt", "plain")


_OPTIONS = (
    click.option("algorithm", "--encryption-algorithm", "-e", type=click.Choice(list(ALGORITHMS)),
                 help="The padding; OAEP, unless the key's own parameters say another."),
    click.option("digest", "--hashing-algorithm", "-s", type=click.Choice(list(HASHES)),
                 help="The hash of OAEP; SHA-256, unless the key's own parameters say another."),
    click.option("replaces", "--force", is_flag=True, help="Replace the output if it is there."),
)  # fmt: skip


def _make(noun: Noun, verb: str, suffix: str) -> click.Command:
    # A certificate encrypts, and its private key, which is named as keys are, decrypts.
    key_noun = Noun(noun.words, "private key") if verb == "decrypt" else noun
    output_file = click.option(
        "output", "--output-file", "-o", metavar="FILE",
        help=f"Where to; FILE.{suffix} in place of its suffix, unless given. - is stdout.",
    )  # fmt: skip

    @click.command(
        epilog=f"kmsctl {noun.words} {verb} {key_noun.id_flags[0]} exchange FILE -o OUTPUT"
    )
    @click.argument("file", metavar="FILE")
    @existing(key_noun, positional=False)
    @with_options([output_file, *_OPTIONS])
    @click.pass_obj
    def command(
        session: Session,
        file: str,
        key_id: str | None,
        tags: tuple[str, ...],
        algorithm: str | None,
        digest: str | None,
        output: str | None,
        replaces: bool,
    ) -> None:
        output = output or default_output(file, suffix)
        check_replaceable(output, replaces=replaces)
        data = read_input(file)
        is_public = verb == "encrypt"
        use = _encrypt if is_public else _decrypt
        parameters = make_parameters(algorithm, digest)
        key = name_of(None, key_id)
        result = use_half(
            session,
            key,
            tags,
            lambda one: use(session, one, data, parameters),
            is_public=is_public,
        )
        write_output(output, result, is_text=is_printable(result), replaces=replaces)
        show_written(session, output, f"{output} is written.")

    command.help = _HELP[verb]
    return command


_HELP = {
    "encrypt": "Encrypt a file that is shorter than the key: 318 bytes by an RSA key of 3072 bits. For"
    " others: kmsctl encrypt FILE --for KEY.",
    "decrypt": "Decrypt what encrypt made.",
}


def _encrypt(
    session: Session, key: Key, data: bytes, parameters: CryptographicParameters | None
) -> bytes:
    return session.client.encrypt(key, data, parameters=parameters).data


def _decrypt(
    session: Session, key: Key, data: bytes, parameters: CryptographicParameters | None
) -> bytes:
    return session.client.decrypt(key, data, parameters=parameters)


def make_parameters(algorithm: str | None, digest: str | None) -> CryptographicParameters | None:
    """The parameters; None leaves the choice to the key's own ones."""
    if algorithm is None and digest is None:
        return None
    if algorithm == "ckm-rsa-pkcs" and digest is not None:
        raise click.UsageError("ckm-rsa-pkcs has no hash: leave --hashing-algorithm out")
    return CryptographicParameters(
        padding_method=ALGORITHMS[algorithm] if algorithm else None,
        hashing_algorithm=HASHES[digest] if digest else None,
    )


def default_output(file: str, suffix: str) -> str:
    """The input's name with another suffix, as in ckms; stdout for stdin."""
    if file == STREAM:
        return STREAM
    try:
        return str(Path(file).with_suffix(f".{suffix}"))
    except ValueError:  # "", / and .
        raise click.UsageError(f"no output can be named after {file!r}: name a file") from None
