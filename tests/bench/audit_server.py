"""A server whose audit can be turned off and on by SIGUSR2, so that both are measured in one process.

Two processes differ by 2 to 4 % by nature, which is as much as what is to be measured.
"""

from __future__ import annotations

import signal
import sys

from kms_tornado.__main__ import main
from kms_tornado.service.kms import KMS

_opened: list[KMS] = []


def _toggle(*_: object) -> None:
    for kms in _opened:
        service, audit = kms._service, kms.audit
        assert service is not None
        if audit is None:
            kms.audit = kms._kept  # type: ignore[attr-defined]
            service.auditor = kms.audit.auditor
        else:
            kms._kept = audit  # type: ignore[attr-defined]
            kms.audit = service.auditor = None


def serve(argv: list[str]) -> int:
    open_kms = KMS._open

    async def open_and_keep(self: KMS) -> None:
        await open_kms(self)
        _opened.append(self)
        signal.signal(signal.SIGUSR2, _toggle)

    KMS._open = open_and_keep  # type: ignore[method-assign]
    return main(argv)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[4:]))  # behind: python -m kms_tornado
