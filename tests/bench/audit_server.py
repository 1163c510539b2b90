"""A server whose audit is turned off and on while it runs, so that all is measured in one process.

Two processes differ by 2 to 4 % by nature, which is as much as what is to be measured. Who measures connects to the
socket `CONTROL` in the server's directory, and sends a line: a mode; or ``settle``, which has the records written that wait, and
indexed where that is the mode; or ``clear``, which has them indexed in any case. Each is answered by a line once it is done.
"""

from __future__ import annotations

import asyncio
import sys

from kms_tornado.__main__ import main
from kms_tornado.service.kms import KMS
from kms_tornado.store.interface.audit_records import IndexStep

CONTROL = "audit-control"
#: No records; records that nothing indexes; all of it.
MODES = ("bare", "recorded", "indexed")


class _NoIndex:
    """Records are written and indexed when we say so, or those of one mode were while another one is measured."""

    async def take_step(self, now: int, *, is_urgent: bool = False) -> IndexStep:
        return IndexStep()


class _Switch:
    def __init__(self, kms: KMS) -> None:
        assert kms.audit is not None
        assert kms.indexer is not None
        self._kms = kms
        self._audit = kms.audit
        self._records = kms.indexer._records
        kms.indexer._records = _NoIndex()  # type: ignore[assignment]
        kms.audit._trail._begin_later = lambda seconds: None  # type: ignore[method-assign]
        self._mode = "indexed"
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, CONTROL)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            command = line.decode().strip()
            if command in MODES:
                self._turn(command)
            else:
                await self._settle(is_indexing=command == "clear" or self._mode == "indexed")
            writer.write(b"done\n")
        writer.close()

    async def _settle(self, *, is_indexing: bool) -> None:
        await self._audit._trail.flush()
        while is_indexing and (await self._records.take_step(0, is_urgent=True)).behind:
            pass

    def _turn(self, mode: str) -> None:
        kms, service = self._kms, self._kms._service
        assert service is not None
        self._mode = mode
        kms.audit = None if mode == "bare" else self._audit
        service.auditor = None if kms.audit is None else kms.audit.auditor


def serve(argv: list[str]) -> int:
    open_kms = KMS._open
    kept = []  # what nobody has is closed

    async def open_and_listen(self: KMS) -> None:
        await open_kms(self)
        kept.append(_Switch(self))
        await kept[-1].open()

    KMS._open = open_and_listen  # type: ignore[method-assign]
    return main(argv)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[4:]))  # behind: python -m kms_tornado
