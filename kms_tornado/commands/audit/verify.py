"""`kms-tornado audit verify`: checks that every record, checkpoint and object is as this server left it."""

from __future__ import annotations

from pathlib import Path

from ...audit.signing import AuditPublicKey, parse_public_pems
from ...errors import ConfigurationError
from ...service.auditing.anchor_file import AnchorFile
from ...service.auditing.signing_key import KEY_FILE
from ...service.verification.records import Report, verify_audit
from ...settings.service import ServiceSettings
from ...wording import format_count, make_printable
from ..opening import find_data_dir, open_database
from ..output import say
from ..running import CommandContext
from ..verify import count_faults, print_objects


async def run(context: CommandContext) -> int:
    """Print one line for each fault. Exit code 0: there is none; 1: there are some."""
    settings, data_dir = context.settings.service, find_data_dir(context)
    keys = _read_keys(settings, data_dir, context.arguments["key"] or ())
    anchor = AnchorFile(settings.master_key_file, data_dir).read()
    async with open_database(context) as (store, _):
        report = await verify_audit(store, keys, anchor)
    for fault in report.faults:
        say(make_printable(fault))
    print_objects(report)
    say(_summarize(report, has_anchor=anchor is not None))
    return 1 if report.faults or report.found or report.unfit else 0


def _read_keys(
    settings: ServiceSettings, data_dir: Path, more: tuple[Path, ...]
) -> list[AuditPublicKey]:
    """This server's own key, if its file exists, and those in the files of --key."""
    own = settings.audit_key_file or data_dir / KEY_FILE
    paths = [*([own] if own.exists() else []), *more]
    if not paths:
        raise ConfigurationError(
            f"there is no key to verify with: {own} is not there, and no --key was given",
            "audit_key_file",
        )
    return [key for path in paths for key in _read_file(path)]


def _read_file(path: Path) -> list[AuditPublicKey]:
    try:
        return parse_public_pems(path.read_bytes())
    except OSError as exc:
        raise ConfigurationError(f"the key {path}: {(exc.strerror or '').lower()}") from None
    except ValueError as exc:
        raise ConfigurationError(f"the key {path}: {exc}") from None


def _summarize(report: Report, *, has_anchor: bool) -> str:
    found = count_faults(report)
    tail = sum(report.uncovered.values())
    covered = f"; {tail} of them behind the last checkpoint" if tail else ""
    anchor = "" if has_anchor else "; there is no anchor to compare with"
    return (
        f"{found}: {format_count(report.records, 'record')}{covered}, "
        f"{format_count(report.checkpoints, 'checkpoint')}, "
        f"{format_count(report.objects, 'object')}{anchor}"
    )
