"""`kms-tornado transfer OLD NEW`: an owner's objects become another user's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..auth.issuer import TrustSettings
from ..errors import ConfigurationError
from ..service.transferring import Transfer, Transferrer
from ..user_names import find_user_fault
from ..wording import make_printable
from .opening import open_database
from .progress import Progress
from .running import CommandContext

_MAX_FAULTS = 5  # that are told


async def run(context: CommandContext) -> int:
    """Exit code 0: all of it is the new owner's; 1: something is left, which is told."""
    arguments = context.arguments
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
            count = f"{result.moved} object{'s' * (result.moved != 1)}"
            print(make_printable(f"{count} of {old} {verb} those of {new}"))
            for uid, why in sorted(result.failures.items()):
                print(make_printable(f"{uid} stays: {why}"))
            is_all_moved = is_all_moved and not result.failures
    return 0 if is_all_moved else 1


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
        lines = file.read_text("utf-8").split("\n")
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
    """Refuse names that no token can have here: nobody would reach the objects.

    The old names may be such that nobody has them any more. Raises ConfigurationError.
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
    has_issuer = any(new.startswith(f"{issuer.uri}#") for issuer in trust.issuers)
    if trust.policy.namespace_by_issuer and not has_issuer:
        return "does not begin with an issuer and #, as names do here (--jwt-user-namespace issuer)"
    if has_issuer and not trust.policy.namespace_by_issuer:
        return "begins with an issuer, as no name does here (--jwt-user-namespace shared)"
    return None
