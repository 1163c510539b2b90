"""The format of a dump: all rows of a database, of either kind, as lines of JSON in a gzip file.

    {"kms_tornado_backup": 1, "made": …, "revision": …, "check": …, "bundles": …, "tables": …}
    ["objects", [1, "764e1f49-…", "alice@example.com", …]]
    …
    {"end": {"rows": {"objects": 2, …}, "sha256": …, "mac": …}}

Values are those of the columns that `tables` names, octets as {"b": base64}: key material stays sealed as it was
stored. The digest covers every line before the last, and the code (`RowMAC`) the digest: so a file that was
cut off, damaged or edited is told from one that a server wrote.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any, BinaryIO

#: The code of a message, under a key of the database (`crypto.sealing.row_mac`).
_RowMAC = Callable[[bytes], bytes]
#: Called with the rows so far, and all of them.
Report = Callable[[int, int], None]

_VERSION = 1
_MARK = "kms_tornado_backup"
_LEVEL = 1  # sealed material does not get smaller, and the rest does at once
#: An object has 64 KiB of attributes at most, and its material may have megabytes.
_LONGEST_LINE = 1 << 28


class BadDump(Exception):
    """A file is not a dump that a server wrote, or no longer is. The text of the error tells the operator why."""


@dataclass(frozen=True, slots=True)
class DumpHeader:
    """The first line of a dump.

    made: when the dump was made (RFC 3339).
    revision: of the schema.
    check, bundles: the values by which the master key is recognised (`interface.master_keys`).
    tables: {name: its columns, in the order of values}, in an order in which rows may be added.
    rows: how many there are, to show progress.
    """

    made: str
    revision: str
    check: bytes
    bundles: Mapping[bytes, bytes]
    tables: Mapping[str, Sequence[str]]
    rows: int


@dataclass(frozen=True, slots=True)
class Dumped:
    """What a dump contains.

    altered: the identifiers of objects whose rows something else wrote.
    odd: a sentence for each column with values of a type that no server writes there.
    """

    rows: int
    objects: int
    altered: Sequence[str]
    odd: Sequence[str] = ()


#: (table, values).
DumpRow = tuple[str, Sequence[Any]]


class DumpWriter:
    """Writes a dump into a file: `begin`, `add` for each row, `end`."""

    def __init__(self, file: BinaryIO, row_mac: _RowMAC) -> None:
        self._gzip = gzip.GzipFile("", "wb", _LEVEL, file, mtime=0)
        self._digest = hashlib.sha256()
        self._row_mac = row_mac
        self._rows: dict[str, int] = {}

    def begin(self, header: DumpHeader) -> None:
        self._rows = dict.fromkeys(header.tables, 0)
        self._write(
            {
                _MARK: _VERSION,
                "made": header.made,
                "revision": header.revision,
                "check": header.check.hex(),
                "bundles": {key.hex(): sealed.hex() for key, sealed in header.bundles.items()},
                "tables": {name: list(columns) for name, columns in header.tables.items()},
                "rows": header.rows,
            }
        )

    def add(self, table: str, values: Sequence[Any]) -> None:
        self._write([table, [_encode(value) for value in values]])
        self._rows[table] += 1

    def end(self) -> int:
        """Finish the file, and return the number of rows in it."""
        digest = self._digest.digest()
        mac = self._row_mac(_message(digest))
        self._write({"end": {"rows": self._rows, "sha256": digest.hex(), "mac": mac.hex()}})
        self._gzip.close()
        return sum(self._rows.values())

    def _write(self, value: Any) -> None:
        line = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        self._digest.update(line)
        self._gzip.write(line)


class DumpReader:
    """Reads the dump in a file, any number of times."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_header(self) -> DumpHeader:
        """The header, which is not verified before `read_rows` has reached the end. Raises BadDump and OSError."""
        with self._lines() as lines:
            return _parse_header(next(lines, b""))

    def read_rows(self, row_mac: _RowMAC) -> Iterator[DumpRow]:
        """All rows. Raises BadDump, possibly only after the last row, and OSError."""
        with self._lines() as lines:
            first = next(lines, b"")
            header = _parse_header(first)
            digest = hashlib.sha256(first)
            rows = dict.fromkeys(header.tables, 0)
            for line in lines:
                value = _parse_line(line)
                if isinstance(value, dict):
                    _check_end(value, digest.digest(), rows, row_mac)
                    break
                row = _parse_row(value, header)
                digest.update(line)
                rows[row[0]] += 1
                yield row
            else:
                raise BadDump("it is cut off: its last line is missing")
            if next(lines, None) is not None:
                raise BadDump("something was added behind its end")

    @contextmanager
    def _lines(self) -> Iterator[Iterator[bytes]]:
        with gzip.open(self._path, "rb") as file:
            yield _read_lines(file)


def _read_lines(file: gzip.GzipFile) -> Iterator[bytes]:
    """The lines of the file, decompressed. Raises BadDump and OSError."""
    try:
        while line := file.readline(_LONGEST_LINE):
            if not line.endswith(b"\n"):
                raise BadDump("it is cut off in the middle of a line")
            yield line
    except EOFError:
        raise BadDump("it is cut off") from None
    except (gzip.BadGzipFile, zlib.error):
        raise BadDump("it is damaged, or no backup") from None


def _encode(value: Any) -> Any:
    return {"b": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return base64.b64decode(value["b"], validate=True)


def _message(digest: bytes) -> bytes:
    return b"kms_tornado backup|" + digest


def _parse_line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise BadDump("a line of it is no JSON") from None


def _parse_header(line: bytes) -> DumpHeader:
    value = _parse_line(line)
    if not isinstance(value, dict) or _MARK not in value:
        raise BadDump("it is no backup")
    if value[_MARK] != _VERSION:
        raise BadDump("a newer version of kms_tornado has written it")
    try:
        return DumpHeader(
            made=str(value["made"]),
            revision=str(value["revision"]),
            check=bytes.fromhex(value["check"]),
            bundles={bytes.fromhex(k): bytes.fromhex(v) for k, v in value["bundles"].items()},
            tables={str(name): tuple(map(str, cols)) for name, cols in value["tables"].items()},
            rows=int(value["rows"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadDump("its first line is damaged") from None


def _parse_row(value: Any, header: DumpHeader) -> DumpRow:
    try:
        table, values = value
        if len(values) != len(header.tables[table]):
            raise ValueError(table)
        return table, [_decode(each) for each in values]
    except (KeyError, TypeError, ValueError):
        raise BadDump("a line of it is damaged") from None


def _check_end(
    value: Mapping[str, Any], digest: bytes, rows: Mapping[str, int], row_mac: _RowMAC
) -> None:
    try:
        end = value["end"]
        is_whole = end["rows"] == rows and bytes.fromhex(end["sha256"]) == digest
        is_ours = compare_digest(bytes.fromhex(end["mac"]), row_mac(_message(digest)))
    except (KeyError, TypeError, ValueError):
        raise BadDump("its last line is damaged") from None
    if not is_whole:
        raise BadDump("lines of it are missing or damaged")
    if not is_ours:
        raise BadDump("no server with these master keys has written it as it is")
