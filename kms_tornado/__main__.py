"""The command: options → settings → server → serve until a signal says stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from . import logs, options
from .errors import ConfigurationError
from .settings import Settings
from .web.app import Server, dev_text

log = logging.getLogger("kms_tornado.server")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; the exit code: 0 clean stop, 2 bad configuration, 1 anything else."""
    try:
        parsed = options.parse(sys.argv[1:] if argv is None else argv, os.environ)
        if parsed.print_config:
            print(options.format_effective(parsed))
            return 0
        logs.configure(parsed.settings.log_level, parsed.settings.log_format)
        for warning in parsed.warnings:
            log.warning("%s", warning)
        asyncio.run(serve(parsed.settings))
    except ConfigurationError as exc:
        print(f"kms-tornado: {exc}", file=sys.stderr)
        return 2
    except OSError as exc:
        print(f"kms-tornado: {exc.strerror or exc}", file=sys.stderr)
        return 1
    return 0


async def serve(settings: Settings) -> None:
    """Listen until SIGTERM or SIGINT; a second signal changes nothing."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Server(settings) as server:
        loop.add_signal_handler(signal.SIGHUP, server.reload)
        if server.dev_issuer is not None:
            print(dev_text(server), flush=True)
        await stop.wait()
        log.info("stopping: finishing the requests in flight")
    log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
