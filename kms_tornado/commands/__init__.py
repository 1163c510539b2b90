"""What an operator does beside the server: `kms-tornado COMMAND …`, with the configuration of the server.

This is the table of the commands. A new one is a row, and its module, which has `async def run(context)`
that returns the exit code; the module is imported when the command is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..audit.record import FAILED, REFUSED, SUCCESS, UNDONE
from ..errors import ConfigurationError
from ..options import Argument, Command, Integer, Switch, Text, mask_url
from ..options.converters import parse_key_id, parse_readable_file, parse_time
from ..redaction import mask_tokens
from ..wording import find_closest, make_printable, quote, suggest


def _parse_result(text: str) -> str:
    results = (SUCCESS, FAILED, REFUSED, UNDONE)
    for result in results:
        if text.strip().lower() == result.lower():
            return result
    raise ConfigurationError(f"{quote(text)} is none of {', '.join(results)}")


def _parse_backup(text: str) -> Path:
    """The path of a backup: it is read twice before it is restored, and has its name once it is whole."""
    if text == "-":
        raise ConfigurationError(
            "a backup is a file, which has its name once it is whole, and no stream"
        )
    return Path(text)


_ROWS = (
    Command(
        "audit verify",
        "audit.verify",
        "compare every record of the audit, every checkpoint and every stored object with one another; exit "
        "code 0: all is well, 1: something was changed",
        (
            Argument(
                "key",
                Text("PEM", Path),
                "public keys that may have signed checkpoints, beside the one of --audit-key-file",
                repeatable=True,
            ),
        ),
    ),
    Command(
        "audit tail",
        "audit.tail",
        "print the newest records of the audit, one JSON object a line",
        (
            Argument(
                "lines", Integer(0, 100_000), "how many (default: 10)", default=10, short="-n"
            ),
            Argument(
                "follow", Switch(), "go on with the records that come", default=False, short="-f"
            ),
        ),
    ),
    Command(
        "audit export",
        "audit.export",
        "print every checkpoint and every record of the audit, which can be verified elsewhere, or a selection "
        "of the records, while servers serve",
        (
            Argument(
                "since",
                Text("TIME", parse_time),
                "those from then on: 2026-11-29T11:45:00Z, 2026-11-29",
            ),
            Argument("until", Text("TIME", parse_time), "those up to then"),
            Argument("principal", Text("USER"), "what this user did"),
            Argument("uid", Text("UID"), "what was done with this object"),
            Argument("operation", Text("NAME"), "what is called so: Decrypt, AccessGrant"),
            Argument(
                "result",
                Text("RESULT", _parse_result),
                "what ended so: Success, Failed, Refused, Undone",
            ),
        ),
    ),
    Command(
        "audit reindex",
        "audit.reindex",
        "make the index anew by which GET /audit finds records and uses of keys are counted, while servers serve",
    ),
    Command(
        "verify",
        "verify",
        "compare every stored object with its code and its last record in the audit, while servers serve; what is "
        "not as it should be is refused from then on; exit codes as of audit verify",
        (
            Argument(
                "accept",
                Text("UID"),
                "take this object as it is, although its records say otherwise, which is recorded",
                repeatable=True,
            ),
        ),
    ),
    Command(
        "health",
        "health",
        "ask the server of this configuration whether it lives; exit code 0: yes, 1: no",
        (Argument("ready", Switch(), "ask whether it can serve", default=False),),
    ),
    Command(
        "explain",
        "explain",
        "tell which checks of this configuration a token passes or fails, and why; exit code 0: accepted, "
        "1: refused",
        (
            Argument("TOKEN", Text("TOKEN"), "the token, or - to read it from stdin", True, True),
            Argument(
                "keys", Text("FILE", parse_readable_file), "read the issuer's keys from a file"
            ),
        ),
        checks_tokens=True,
    ),
    Command(
        "backup",
        "backup",
        "write all that the database has at this moment into a new file, sealed as it is, while servers serve",
        (
            Argument(
                "FILE",
                Text("FILE", _parse_backup),
                "the file of the backup, or a directory, in which it is named by the time",
                True,
                True,
            ),
            Argument(
                "check",
                Switch(),
                "only check that the file is whole; in a directory, the newest one",
                default=False,
            ),
        ),
    ),
    Command(
        "restore",
        "restore",
        "make a new database with all that a backup has, after the file was checked",
        (Argument("FILE", Text("FILE", _parse_backup), "the file of the backup", True, True),),
    ),
    Command(
        "rotate-master-key",
        "rotate_master_key",
        "make a new master key, which seals from now on; the old one goes on to open",
        (
            Argument(
                "prepare",
                Switch(),
                "make it, but have it only open, until every server has the file",
                default=False,
            ),
        ),
    ),
    Command(
        "rewrap",
        "rewrap",
        "seal every object under the newest master key, while servers serve; it can be ended and run again",
        (
            Argument(
                "retire",
                Text("KEYID", parse_key_id),
                "then take this master key out of its file, if nothing is sealed under it any more",
            ),
        ),
    ),
    Command(
        "owners",
        "owners",
        "print whose the objects are: the number of each user's, a tab, and the name; the most first",
    ),
    Command(
        "transfer",
        "transfer",
        "give all objects of one user to another one, while servers serve; it can be ended and run again",
        (
            Argument("OLD", Text("NAME"), "the user whose objects they are", is_positional=True),
            Argument("NEW", Text("NAME"), "the user whose they shall be", is_positional=True),
            Argument(
                "map",
                Text("FILE", parse_readable_file),
                "lines of an old name, a tab, and a new one",
            ),
            Argument("uid", Text("UID"), "this object alone", repeatable=True),
            Argument(
                "drop-grants",
                Switch(),
                "take from others the rights that the old owner granted (default: they stay)",
                default=False,
            ),
            Argument("dry-run", Switch(), "tell what would be moved and what not", default=False),
            Argument(
                "naming",
                Switch(),
                "move all objects to the names that users have by --jwt-user-namespace and --jwt-user-claim",
                default=False,
            ),
            Argument(
                "issuer", Text("URI"), "with --naming: whose users names without an issuer are"
            ),
        ),
    ),
)

COMMANDS: Mapping[str, Command] = {command.name: command for command in _ROWS}


def find_command(argv: Sequence[str]) -> tuple[Command | None, Sequence[str]]:
    """The command that the command line names first, and the arguments after its name."""
    for count in (2, 1):  # a name may be two words
        command = COMMANDS.get(" ".join(argv[:count]))
        if command is not None:
            return command, argv[count:]
    return None, argv


def find_unknown_command(argv: Sequence[str]) -> str | None:
    """What is wrong with a first word that is neither an option nor a command; None otherwise."""
    if not argv or argv[0].startswith("-"):
        return None
    first = argv[0].lower()
    words = argv[:1]
    if known := [name for name in COMMANDS if name.startswith(f"{first} ")]:
        text = f"; the commands are: {', '.join(known)}"
        words = [word for word in argv[:2] if not word.startswith("-")]
    else:
        meant = find_closest(first, [name.partition(" ")[0] for name in COMMANDS])
        text = suggest(meant) or f"; the commands are: {', '.join(COMMANDS)}"
    name = " ".join(mask_url(mask_tokens(word)) for word in words)
    return make_printable(f"{quote(name)} is no command{text}")
