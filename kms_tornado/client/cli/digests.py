"""`kmsctl hash` and `kmsctl mac`: of files of any size, with ckms's flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from .data import Part, open_data, read_part, send_in_parts
from .key_names import key_finder
from .output import Refused, show_value
from .parameters import HexBytes, InputFile, KMIPName
from .root import Group
from .session import Session

if TYPE_CHECKING:
    from ...kmip.structures import CryptographicParameters


def _part_options(command: Callable[..., None]) -> Callable[..., None]:
    """ckms's flags for a user who sends the parts one by one."""
    options = [
        click.option("--data", "-d", type=HexBytes(), metavar="HEX", help="The data, instead of FILE."),
        click.option("--correlation-value", "-c", type=HexBytes(), metavar="HEX",
                     help="Continue what an earlier call began and printed this for."),
        click.option("--init-indicator", "-i", is_flag=True, help="These data are the first part."),
        click.option("--final-indicator", "-f", is_flag=True, help="These data are the last part."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _parameters(algorithm: Any) -> CryptographicParameters | None:
    from ...kmip.structures import CryptographicParameters

    return None if algorithm is None else CryptographicParameters(hashing_algorithm=algorithm)


def _run(
    source: BinaryIO,
    send: Callable[[Part], Any],
    correlation_value: bytes | None,
    init_indicator: bool,
    final_indicator: bool,
) -> Any:
    """The last answer: to the parts of the source, or to the one part that the flags describe."""
    if correlation_value is None and not init_indicator:
        return send_in_parts(source, send)
    return send(
        Part(read_part(source), correlation_value, init_indicator or None, final_indicator or None)
    )


# --- hash ---------------------------------------------------------------------------------------


@click.command("hash")
@click.argument("file", metavar="[FILE]", type=InputFile("rb"), required=False)
@click.option(
    "--algorithm",
    "-a",
    type=KMIPName("HashingAlgorithm"),
    default="SHA-256",
    metavar="ALGORITHM",
    show_default=True,
    help="SHA-256, SHA3-512 and so on.",
)
@_part_options
@click.pass_obj
def hash_data(
    session: Session, /, file: BinaryIO | None, algorithm: Any, data: bytes | None, **part: Any
) -> None:
    """Print the digest of FILE, or of stdin, as the server computes it.

    Large data are sent in parts. With --init-indicator and without --final-indicator the correlation
    value is printed, with which the next part is sent.

    \b
    kmsctl hash report.pdf
    """  # fmt: skip
    from ...kmip.payloads import HashRequest

    parameters = _parameters(algorithm)
    assert parameters is not None
    answer = _run(
        open_data(file, data),
        lambda part: session.client.perform(HashRequest(parameters, *part)),
        **part,
    )
    _show_digest(answer, answer.data, "digest")


def _show_digest(answer: Any, digest: bytes | None, name: str) -> None:
    if digest is not None:
        show_value(digest.hex(), name=name)
    else:
        show_value((answer.correlation_value or b"").hex(), name="correlation_value")


# --- mac ----------------------------------------------------------------------------------------


class _MACGroup(Group):
    """`kmsctl mac KEY FILE` is `kmsctl mac compute KEY FILE`, as in ckms before version 5."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else "--help"
        if first not in self.commands and first not in ctx.help_option_names:
            args = ["compute", *args]
        return super().parse_args(ctx, args)


@click.group("mac", cls=_MACGroup)
def mac() -> None:
    """Compute and verify message authentication codes with a key at the server.

    kmsctl mac KEY FILE is short for kmsctl mac compute KEY FILE.
    """


def _key_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option("--mac-key-id", "-k", "key_id", metavar="KEY",
                     help="The key, where it is not an argument."),
        click.option("--tag", "-t", "tags", metavar="TAG", multiple=True,
                     help="The key that has this tag; repeatable, it has all."),
        click.option("--algorithm", "-a", type=KMIPName("HashingAlgorithm"), metavar="ALGORITHM",
                     help="SHA-256, SHA3-512 and so on; that of the key where it is left out."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@mac.command("compute")
@click.argument("words", metavar="[KEY] [FILE]", nargs=-1)
@_key_options
@_part_options
@click.pass_obj
def compute(
    session: Session,
    /,
    words: tuple[str, ...],
    key_id: str | None,
    tags: tuple[str, ...],
    algorithm: Any,
    data: bytes | None,
    **part: Any,
) -> None:
    """Print the code of FILE, or of stdin.

    \b
    kmsctl mac compute signer report.pdf
    """  # fmt: skip
    from ...kmip.payloads import MACRequest

    key, file = _split_words(words, key_id, tags)
    parameters = _parameters(algorithm)
    perform = session.client.perform

    def send(key: str, part: Part) -> Any:
        return perform(MACRequest(key, parameters, *part))

    answer = _run(open_data(file, data), key_finder(session, key, tags, send), **part)
    _show_digest(answer, answer.mac_data, "mac")


@mac.command("verify")
@click.argument("words", metavar="[KEY] [FILE]", nargs=-1)
@_key_options
@click.option("--data", "-d", type=HexBytes(), metavar="HEX", help="The data, instead of FILE.")
@click.option(
    "--mac",
    "-m",
    "mac_data",
    type=HexBytes(),
    metavar="HEX",
    required=True,
    help="The code to verify.",
)
@click.pass_obj
def verify(
    session: Session,
    words: tuple[str, ...],
    key_id: str | None,
    tags: tuple[str, ...],
    algorithm: Any,
    data: bytes | None,
    mac_data: bytes,
) -> None:
    """Print Valid where the code is that of FILE, or of stdin; else Invalid, and exit with 1.

    \b
    kmsctl mac verify signer report.pdf --mac 7f83b1657ff1fc53b92dc18148a1d65d
    """  # fmt: skip
    from ...kmip.enums import ValidityIndicator
    from ...kmip.payloads import MACVerifyRequest

    key, file = _split_words(words, key_id, tags)
    parameters = _parameters(algorithm)

    def perform(key: str, part: Part) -> Any:
        expected = mac_data if part.is_last else None
        return session.client.perform(
            MACVerifyRequest(key, parameters, part.data, expected, *part[1:])
        )

    answer = send_in_parts(open_data(file, data), key_finder(session, key, tags, perform))
    is_valid = answer.validity_indicator is ValidityIndicator.VALID
    show_value("Valid" if is_valid else "Invalid", name="validity")
    if not is_valid:
        raise Refused("the code is not that of these data by this key")


def _split_words(
    words: Sequence[str], key_id: str | None, tags: Sequence[str]
) -> tuple[str | None, BinaryIO | None]:
    """(the key, the file): the first argument is the key unless an option names it."""
    rest = list(words)
    key = key_id if key_id is not None or tags or not rest else rest.pop(0)
    if len(rest) > 1:
        raise click.UsageError(f"one file at a time: {rest[1]!r} is too much")
    file = InputFile("rb").convert(rest[0], None, click.get_current_context()) if rest else None
    return key, cast("BinaryIO | None", file)
