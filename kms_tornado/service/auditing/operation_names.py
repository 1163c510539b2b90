"""The names of operations in the audit, found from any spelling: that of grants, of clients, or of KMIP."""

from __future__ import annotations

from ...kmip.suggestions import map_loosely
from ...kmip.tables import OPERATION_TAGS, loosen

#: Beside KMIP's: what this server and its commands record (docs/audit.md).
OWN_OPERATIONS = (
    "AccessGrant", "AccessRevoke", "AccessList", "AccessOwned", "AccessObtained", "ObjectList", "ObjectSummary",
    "AuditRead", "AuditStatistics", "WhoAmI", "Request", "ReserveNonces", "ServerStart", "ServerStop", "ChainBegin",
    "Adopt", "AcceptRollback", "Finding", "Accept", "Backup", "Restore", "RotateMasterKey", "RetireMasterKey",
    "Rewrap", "Transfer",
)  # fmt: skip

_NAMES = map_loosely([*OPERATION_TAGS.values(), *OWN_OPERATIONS])


def find_operation(spelling: str) -> str:
    """The name in records, such as GetAttributes for ``get_attributes``. An unknown name is returned unchanged."""
    return _NAMES.get(loosen(spelling), spelling)
