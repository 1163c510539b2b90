"""How many objects a second `rewrap` seals anew, on one core: ``python -m tests.bench.rewrap [objects]``.

On SQLite, while nobody else writes: from the database and back to it, with each row's code checked and made.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from kms_tornado.crypto.envelope import KeyRing, MasterKey
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.service.kms import KMS
from kms_tornado.service.rewrapping import rewrap
from kms_tornado.settings import ServiceSettings
from tests.service.test_key_ring import create

NUMBER = 20_000
_TOGETHER = 500


async def measure(directory: Path, number: int) -> tuple[int, float, float]:
    """(objects, seconds, seconds of a processor)."""
    async with KMS(ServiceSettings(data_dir=directory)) as kms:
        for _ in range(number // _TOGETHER):
            await asyncio.gather(*(create(kms) for _ in range(_TOGETHER)))
        assert kms._ring is not None
        newest = MasterKey(KeyMaterial(bytes(32)))
        ring = KeyRing([newest, *kms._ring.keys], kms._ring.bundle)
        began, processor = time.perf_counter(), time.process_time()
        result = await rewrap(kms.store, ring)
        return result.written, time.perf_counter() - began, time.process_time() - processor


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    with tempfile.TemporaryDirectory() as directory:
        written, seconds, processor = asyncio.run(measure(Path(directory), number))
    print(
        f"{written} objects in {seconds:.1f} s, {processor:.1f} s of a processor: "
        f"{written / seconds:,.0f} a second, {written / processor:,.0f} a second of a processor"
    )


if __name__ == "__main__":
    main()
