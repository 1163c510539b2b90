"""A server whose audit SIGUSR2 turns off and on step by step, so that all is measured in one process.

With its index, without it, not at all, and from the beginning. Two processes differ by 2 to 4 % by nature, which is as
much as what is to be measured.
"""

from __future__ import annotations

import itertools
import signal
import sys

from kms_tornado.__main__ import main
from kms_tornado.service.kms import KMS
from kms_tornado.store.interface.audit_records import IndexStep

MODES = ("indexed", "recorded", "bare")


class _NoIndex:
    async def take_step(self, now: int, *, is_urgent: bool = False) -> IndexStep:
        return IndexStep()


class _Switch:
    def __init__(self, kms: KMS) -> None:
        self._kms = kms
        self._audit = kms.audit
        assert kms.indexer is not None
        self._records = kms.indexer._records
        self._modes = itertools.cycle((*MODES[1:], MODES[0]))

    def turn(self, *_: object) -> None:
        mode = next(self._modes)
        kms, service, indexer = self._kms, self._kms._service, self._kms.indexer
        assert service is not None
        assert indexer is not None
        kms.audit = None if mode == "bare" else self._audit
        service.auditor = None if kms.audit is None else kms.audit.auditor
        indexer._records = self._records if mode == "indexed" else _NoIndex()  # type: ignore[assignment]


def serve(argv: list[str]) -> int:
    open_kms = KMS._open

    async def open_and_switch(self: KMS) -> None:
        await open_kms(self)
        signal.signal(signal.SIGUSR2, _Switch(self).turn)

    KMS._open = open_and_switch  # type: ignore[method-assign]
    return main(argv)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[4:]))  # behind: python -m kms_tornado
