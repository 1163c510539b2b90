"""The tables. `migrations` brings a database to this shape; a test compares the two.

Types and constraints are those that SQLite and PostgreSQL have in common.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

# Every constraint has a name, by which a later migration can refer to it on any database.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column of the type INTEGER.
_serial = BigInteger().with_variant(Integer, "sqlite")

# `serial` grows with every insert: it breaks ties among objects made within the same second.
# `tags` repeats the rows of object_tags as a JSON list, so that the most common read, of one object by
# its identifier, needs one row from one table.
# The columns algorithm to key_format, and those after changed_at, repeat values of `attributes`, so that
# Locate can search by them.
# `mac` covers the other columns (`row_macs`): sealed by its digest, and those that repeat a value by
# comparing them with it.
# `grants` decides who may do what; the rows of the table of that name are its index by grantee.
# The columns stand in the order in which the migrations made them: by `SELECT *`, a row is put back from a database that
# was restored, thus new, into one that was upgraded (docs/runbook.md).
objects = Table(
    "objects",
    metadata,
    Column("serial", _serial, primary_key=True),
    Column("uid", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("object_type", Integer, nullable=False),
    Column("state", Integer, nullable=False),
    Column("algorithm", BigInteger),
    Column("length", BigInteger),
    Column("usage_mask", BigInteger),
    Column("key_format", BigInteger),
    Column("attributes", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("version", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("activation_date", BigInteger),
    Column("always_sensitive", BigInteger),
    Column("deactivation_date", BigInteger),
    Column("extractable", BigInteger),
    Column("fresh", BigInteger),
    Column("initial_date", BigInteger),
    Column("last_change_date", BigInteger),
    Column("never_extractable", BigInteger),
    Column("original_creation_date", BigInteger),
    Column("sensitive", BigInteger),
    Column("usage_limits_total", BigInteger),
    Column("usage_limits_count", BigInteger),
    Column("grants", Text, nullable=False, server_default=""),
    Column("nonce_source", Integer),
    Column("sealed_digest", LargeBinary),
    Column("mac", LargeBinary),
    Column("archive_date", BigInteger),
    # The columns after serial let a database count an owner's objects by their values from the index
    # alone, which takes a quarter of the time.
    Index(
        "ix_objects_newest",
        "owner",
        "created_at",
        "serial",
        "state",
        "object_type",
        "algorithm",
        "length",
        "usage_mask",
        "key_format",
        "activation_date",
        "deactivation_date",
        "archive_date",
    ),
)

# owner and created_at are repeated here, so that a search for an owner's newest objects with a tag reads
# one index in order, and stops after the first hundred matches.
object_tags = Table(
    "object_tags",
    metadata,
    Column("object", _serial, ForeignKey("objects.serial", ondelete="CASCADE"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_object_tags_newest", "tag", "owner", "created_at", "object"),
)

# Every attribute without a column in `objects`, leaf by leaf (`attribute_rows`). owner is repeated here, so
# that a value which objects of many owners share is looked up among the principal's own objects alone.
object_values = Table(
    "object_values",
    metadata,
    Column("object", _serial, ForeignKey("objects.serial", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("instance", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("number", BigInteger),
    Index("ix_object_values_found", "path", "value", "owner", "object"),
)

# Names in use. A destroyed object keeps its Name as an attribute, but others may take the Name.
# name: from `attribute_rows.format_index_value`, as a Name may be too long for an index.
object_names = Table(
    "object_names",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", BigInteger, primary_key=True),
    Column("object", _serial, ForeignKey("objects.serial", ondelete="CASCADE"), nullable=False),
    Index("ix_object_names_object", "object"),
)

# The nonces that callers brought for encryption under a key; each may be used once. Records are kept by the
# key's material (`KeyRing.identify_material`), and outlive every object that has it.
# nonce, next: as `nonces` writes them, so that a record that is missing is noticed. The empty key has all
# keys instead of nonces.
used_nonces = Table(
    "used_nonces",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("nonce", LargeBinary, primary_key=True),
    Column("next", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

# Who chooses the nonces of a key, for good. key: as in used_nonces. reserved: how many encryptions with the
# server's nonces were set aside.
nonce_sources = Table(
    "nonce_sources",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("source", Integer, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

# The identifiers of removed objects: only the owner of the removed object may use one again.
tombstones = Table(
    "tombstones",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

# objects: the units that each owner's objects take, in any state (`owners`), or the number of the objects
# as long as nothing of an owner was changed since a version that counted them.
owners = Table(
    "owners",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("objects", BigInteger, nullable=False),
    Column("mac", LargeBinary),
)

# The index by grantee of objects.grants. operation: the number of kmip.enums.Operation. Rows are deleted with their object, so that a later object
# with the same identifier starts without grants. The primary key serves look-ups by object, the index
# those by grantee.
grants = Table(
    "grants",
    metadata,
    Column("object", _serial, ForeignKey("objects.serial", ondelete="CASCADE"), primary_key=True),
    Column("grantee", Text, primary_key=True),
    Column("operation", Integer, primary_key=True),
    Index("ix_grants_grantee", "grantee", "operation", "object"),
)

# One row for each value that concerns the database as a whole.
server_state = Table(
    "server_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# The heads of the audit's chains. session: of the process that has the chain; NULL where none has. seen: seconds
# since the Unix epoch of its last record. No index beside the key: each commit updates a row, which PostgreSQL
# does in place as long as no indexed column changes.
audit_chains = Table(
    "audit_chains",
    metadata,
    Column("chain", _serial, primary_key=True),
    Column("session", Text),
    Column("seen", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
)

# The audit's records, those of one chain and transaction in one row. lines: one record each (`audit.record`).
# since, until: the times of the oldest and the newest record, in milliseconds since the Unix epoch. They are compared with
# the records, and nothing is looked for by them.
audit_segments = Table(
    "audit_segments",
    metadata,
    Column("serial", _serial, primary_key=True),
    Column("chain", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("lines", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    UniqueConstraint("chain", "first"),
)

# line: signed (`audit.checkpoint`).
audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("checkpoint", _serial, primary_key=True),
    Column("line", Text, nullable=False),
)

# The index of the audit (`sql.audit.index`): what can be made again from the segments at any time. A page is some
# thousand records, those of some segments that follow one another in each chain. ranges: JSON, {chain: [first record,
# last one]}. since, until: of the page's records. ceiling: the highest `until` of this page and all before it.
audit_pages = Table(
    "audit_pages",
    metadata,
    Column("page", BigInteger, primary_key=True, autoincrement=False),
    Column("ranges", Text, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("ceiling", BigInteger, nullable=False),
)

# In which pages there are records of an object or a principal. key: of `audit.indexing`.
audit_index = Table(
    "audit_index",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("page", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# When each object was made for the first time. made: milliseconds since the Unix epoch.
audit_made = Table(
    "audit_made",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("made", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# How often each object was used, as far as the audit tells. last_used: milliseconds since the Unix epoch.
audit_uses = Table(
    "audit_uses",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("uses", BigInteger, nullable=False),
    Column("last_used", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The DPoP proofs that were used (`used_proofs`). proof: a digest. until: seconds since the Unix epoch, at which it stops
# being good. The row without a digest has the latest end of those that are deleted.
used_proofs = Table(
    "used_proofs",
    metadata,
    Column("proof", LargeBinary, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Index("ix_used_proofs_until", "until"),
    sqlite_with_rowid=False,
)
