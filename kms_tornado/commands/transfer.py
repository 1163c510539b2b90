"""`kms-tornado transfer`: gives an owner's objects to another user, or all objects to their users' new names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from ..auth.issuers.issuer import TrustSettings
from ..domain.user_naming import UserNaming, find_naming_fault
from ..errors import ConfigurationError
from ..service.ownership.configured_naming import describe_naming
from ..service.ownership.renaming import NamingMove, move_to_naming
from ..service.ownership.transferring import Transfer, Transferrer, TransferResult
from ..store.opening import is_database_in_use
from ..user_names import find_user_fault
from ..wording import format_count, make_printable
from .opening import find_data_dir, open_database
from .output import say
from .progress import Progress
from .running import CommandContext

_MAX_FAULTS = 5  # how many are printed


async def run(context: CommandContext) -> int:
    """Transfer objects. Exit code 0: all of them are transferred; 1: some are not, for printed reasons."""
    arguments = context.arguments
    if arguments["naming"]:
        return await _move_to_naming(context)
    if arguments["issuer"] is not None:
        raise ConfigurationError("--issuer goes with --naming")
    pairs = _read_pairs(arguments["old"], arguments["new"], arguments["map"])
    _check_new_names(pairs, context.settings.trust)
    uids, is_rehearsal = frozenset(arguments["uid"]), arguments["dry_run"]
    if uids and len(pairs) > 1:
        raise ConfigurationError("--uid goes with OLD and NEW, not with --map")
    is_all_moved = True
    async with open_database(context) as (store, ring):
        transferrer = Transferrer(store, ring)
        for old, new in pairs.items():
            transfer = Transfer(old, new, uids, keeps_grants=not arguments["drop_grants"])
            with Progress("objects", 0) as progress:
                result = await transferrer.transfer(
                    transfer, is_rehearsal=is_rehearsal, report=progress.update
                )
            verb = "would become" if is_rehearsal else "became"
            _print_result(result, f"of {old} {verb} those of {new}")
            is_all_moved = is_all_moved and not result.failures
    return 0 if is_all_moved else 1


async def _move_to_naming(context: CommandContext) -> int:
    """Move everything to the configured naming."""
    arguments, settings = context.arguments, context.settings
    if arguments["old"] is not None or arguments["uid"] or arguments["drop_grants"]:
        raise ConfigurationError(
            "--naming moves everything: it goes with --issuer, --map and --dry-run"
        )
    trust, is_rehearsal = settings.trust, arguments["dry_run"]
    if trust is None:
        raise ConfigurationError("there is no issuer whose users could be named", "trust")
    data_dir, url = find_data_dir(context), settings.service.database_url
    if not is_rehearsal and await is_database_in_use(url, data_dir):
        raise ConfigurationError(
            "a server has the database open: stop all servers, as none may make objects under the old names"
        )
    async with open_database(context) as (store, ring):
        issuers = trust.issuer_uris
        requested = describe_naming(trust)
        current = await store.naming.settle(requested, issuers)
        if current.former is None and find_naming_fault(current, requested, issuers) is None:
            say("users are named so already")
            return 0
        move = _plan_move(current, requested, trust, arguments["issuer"], arguments["map"])
        with Progress("objects", 0) as progress:
            result = await move_to_naming(
                store, ring, move, is_rehearsal=is_rehearsal, report=progress.update
            )
    verb = "would get" if is_rehearsal else "got"
    _print_result(result, f"{verb} the new names of users")
    return 1 if result.failures else 0


def _plan_move(
    current: UserNaming,
    requested: UserNaming,
    trust: TrustSettings,
    issuer: str | None,
    file: Path | None,
) -> NamingMove:
    """The move. Raises ConfigurationError where the arguments do not fit it."""
    if current.former is not None and (current.by_issuer, current.claim) != (
        requested.by_issuer,
        requested.claim,
    ):
        text, setting = find_naming_fault(current, requested) or ("", "")
        raise ConfigurationError(text, setting)
    _check_what_changes(
        current.former or current, requested, trust.issuer_uris, has_map=file is not None
    )
    renamed: Mapping[str, str] | None = None
    if file is not None:
        renamed, faults = _parse_map(file)
        chained = sorted({new for old, new in renamed.items() if old != new} & set(renamed))
        faults += [f"{new} is an old name, too" for new in chained]
        if faults:
            raise ConfigurationError("; ".join(map(make_printable, faults[:_MAX_FAULTS])))
        _check_new_names(renamed, trust)
    issuers = trust.issuer_uris
    if requested.by_issuer and renamed is None:
        issuer = issuer or (issuers[0] if len(issuers) == 1 else None)
        if issuer not in issuers:
            raise ConfigurationError(
                "--issuer URI is needed: the issuer, of those configured, whose users the objects are of"
            )
    return NamingMove(current, requested, issuers, issuer, renamed)


def _check_what_changes(
    current: UserNaming, requested: UserNaming, issuers: Collection[str], *, has_map: bool
) -> None:
    of_issuers = [(was, now) for _, was, now in current.list_changes(requested, issuers)]
    changes_claim = current.claim != requested.claim or bool(of_issuers)
    if changes_claim and current.by_issuer != requested.by_issuer:
        raise ConfigurationError(
            "change the namespace and the user claim one after the other", "user_claim"
        )
    if changes_claim and not has_map:
        was, now = (
            (current.claim, requested.claim) if current.claim != requested.claim else of_issuers[0]
        )
        raise ConfigurationError(
            f"--map FILE is needed: for each name by {was}, a tab and the name by {now}"
        )
    if has_map and not changes_claim:
        raise ConfigurationError("--map FILE goes with another --jwt-user-claim, which is the same")


def _print_result(result: TransferResult, text: str) -> None:
    """Print the number of objects, followed by the text."""
    say(make_printable(f"{format_count(result.moved, 'object')} {text}"))
    for uid, why in sorted(result.failures.items()):
        say(make_printable(f"{uid} stays: {why}"))


def _read_pairs(old: str | None, new: str | None, file: Path | None) -> Mapping[str, str]:
    """{old name: new name}. Raises ConfigurationError."""
    if file is None:
        if old is None or new is None:
            raise ConfigurationError("OLD and NEW are needed, or --map FILE")
        pairs, faults = {old: new}, list[str]()
    elif old is not None:
        raise ConfigurationError("give OLD and NEW or --map FILE, not both")
    else:
        pairs, faults = _parse_map(file)
    faults += [f"{old} would go to itself" for old, new in pairs.items() if old == new]
    # Run again after an interruption, what was moved first would be moved on.
    faults += [f"{new} is an old name, too" for new in sorted(set(pairs.values()) & set(pairs))]
    if faults:
        raise ConfigurationError("; ".join(map(make_printable, faults[:_MAX_FAULTS])))
    return pairs


def _parse_map(file: Path) -> tuple[dict[str, str], list[str]]:
    """({old name: new name}, what is wrong with the lines)."""
    try:
        # A byte order mark, which editors of Windows put in front, is of no name.
        lines = file.read_text("utf-8-sig").split("\n")
    except ValueError:
        return {}, [f"{file} is not in UTF-8"]
    pairs: dict[str, str] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        names = line.rstrip("\r").split("\t")
        if names == [""]:
            continue
        if len(names) != 2 or not all(names):
            faults.append(f"{file} line {number}: two names with a tab between them are needed")
        elif names[0] in pairs:
            faults.append(f"{file} line {number}: the old name stands there twice")
        else:
            pairs[names[0]] = names[1]
    return pairs, faults


def _check_new_names(pairs: Mapping[str, str], trust: TrustSettings | None) -> None:
    """Refuse names that no token can have here, since nobody could reach the objects. Raises ConfigurationError.

    The old names may be ones that nobody has any more.
    """
    faults = []
    for new in pairs.values():
        if fault := find_user_fault(new):
            faults.append(f"{new!r} {fault}")
        elif trust is not None and (fault := _find_naming_fault(new, trust)):
            faults.append(f"{new} {fault}")
    if faults:
        raise ConfigurationError("; ".join(map(make_printable, faults[:_MAX_FAULTS])))


def _find_naming_fault(new: str, trust: TrustSettings) -> str | None:
    has_issuer = any(new.startswith(f"{uri}#") for uri in trust.issuer_uris)
    if trust.policy.namespace_by_issuer and not has_issuer:
        return "does not begin with an issuer and #, as names do here (--jwt-user-namespace issuer)"
    if has_issuer and not trust.policy.namespace_by_issuer:
        return "begins with an issuer, as no name does here (--jwt-user-namespace shared)"
    return None
