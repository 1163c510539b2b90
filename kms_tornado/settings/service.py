"""The settings of the key service, whatever transport is in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, Unpack

from ..argument_types import check_arguments, check_type, make_path, make_texts, make_tuple
from ..errors import ConfigurationError
from ..user_names import find_user_fault
from .faults import refuse_faults

CRYPTO_POLICIES = ("conservative", "permissive")


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that no log, traceback or --print-config shows."""

    value: str

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """All settings of the key service, whatever transport is in front of it.

    data_dir: the directory of the database and the master key. With --dev it is None until the server creates a
    temporary one; a KMS does not start without a directory.
    database_url: of SQLite or PostgreSQL; a relative path of SQLite starts at data_dir.
    master_key_file: files with one or several master keys each; the first key seals. () means the file in data_dir.
    master_key: the same as base64 texts separated by commas, not decoded yet.
    privileged_users: who may create objects; empty means everyone.
    auditors: who may read every record of the audit.
    crypto_policy: one of CRYPTO_POLICIES (`crypto.policy`).
    kmip_interop: whether the operations Interop and Log are offered.
    audit_log: a file to which the audit's lines are also appended; `-` is stdout.
    audit_key_file: the key that signs the audit's checkpoints; None means the file in data_dir.
    audit_reads: whether operations that change nothing are recorded, too.
    accept_rollback: whether a database is served although it is older than its anchor.
    scrub_interval_s: the time in which all objects are compared once with their last records; 0 turns this off.
    Raises InconsistentSettings.
    """

    data_dir: Path | None = Path("kms-data")
    # may hold a password, so no repr; options masks it for --print-config
    database_url: str = field(default="sqlite:///kms.db", repr=False)
    master_key_file: tuple[Path, ...] = ()
    master_key: Secret | None = None
    privileged_users: frozenset[str] = frozenset()
    auditors: frozenset[str] = frozenset()
    crypto_policy: str = "conservative"
    kmip_interop: bool = False
    audit_log: Path | None = None
    audit_key_file: Path | None = None
    audit_reads: bool = True
    accept_rollback: bool = False
    # A restore of single rows is noticed within a day, as backups are mostly made.
    scrub_interval_s: float = 86400.0

    def __post_init__(self) -> None:
        refuse_faults(_find_service_faults(self))


class ServiceArguments(TypedDict, total=False):
    """The fields of ServiceSettings as an application writes them down; a text alone counts as one entry."""

    data_dir: str | Path
    database_url: str
    master_key_file: str | Path | Iterable[str | Path] | None
    master_key: str | None
    privileged_users: str | Iterable[str]
    auditors: str | Iterable[str]
    crypto_policy: str
    kmip_interop: bool
    audit_log: str | Path | None
    audit_key_file: str | Path | None
    audit_reads: bool
    accept_rollback: bool
    scrub_interval_s: float


def make_service_settings(**arguments: Unpack[ServiceArguments]) -> ServiceSettings:
    """Convert an application's arguments; what is left out keeps its default.

    Raises WrongArgumentType, InconsistentSettings.
    """
    fields: dict[str, Any] = dict(arguments)
    if fields.get("master_key_file") is None:
        fields.pop("master_key_file", None)
    for name, convert in _FROM_ARGUMENT.items():
        if fields.get(name) is not None:
            fields[name] = convert(fields[name], name)
    check_arguments(ServiceSettings, fields)
    return ServiceSettings(**fields)


def _make_path(value: str | Path, argument: str) -> Path:
    return Path(make_path(value, argument) or "")


def _make_paths(value: str | Path | Iterable[str | Path], argument: str) -> tuple[Path, ...]:
    several = [value] if isinstance(value, Path) else value
    return tuple(_make_path(one, argument) for one in make_tuple(several, argument))


def _make_secret(value: str, argument: str) -> Secret:
    check_type(value, str, argument)
    return Secret(value)


def _make_users(value: str | Iterable[str], argument: str) -> frozenset[str]:
    """One name alone is one user: the letters of "alice" are not."""
    return frozenset(make_texts(value, argument))


_FROM_ARGUMENT: Mapping[str, Callable[[Any, str], object]] = {
    "data_dir": _make_path,
    "master_key_file": _make_paths,
    "audit_log": _make_path,
    "audit_key_file": _make_path,
    "master_key": _make_secret,
    "privileged_users": _make_users,
    "auditors": _make_users,
}


def _find_service_faults(settings: ServiceSettings) -> Iterator[ConfigurationError]:
    if settings.crypto_policy not in CRYPTO_POLICIES:
        yield ConfigurationError(f"one of {' '.join(CRYPTO_POLICIES)}", "crypto_policy")
    if not 0 <= settings.scrub_interval_s < float("inf"):
        yield ConfigurationError("seconds, not negative", "scrub_interval_s")
    for name in ("privileged_users", "auditors"):
        for user in sorted(getattr(settings, name)):
            if fault := find_user_fault(user):  # nobody would ever be that user
                yield ConfigurationError(f"{user!r} {fault}", name)
    if settings.master_key is not None and settings.master_key_file:
        # Which one wins would decide whether the stored objects can be read.
        yield ConfigurationError(
            "not together with KMS_MASTER_KEY", "master_key_file", "master_key"
        )
