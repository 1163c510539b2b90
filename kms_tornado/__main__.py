"""The command: options → settings → server → serve until a signal says stop."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from . import logs, options
from .errors import ConfigurationError, KMSError
from .options.result import Parsed
from .settings import Settings
from .web.process.dev_issuer import format_dev_text
from .web.process.listening import open_sockets, server_url
from .web.process.server import Server
from .web.process.workers import Supervisor, Worker

log = logging.getLogger("kms_tornado.server")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; the exit code: 0 clean stop, 2 bad configuration, 1 anything else."""
    try:
        parsed = options.parse(sys.argv[1:] if argv is None else argv, os.environ)
    except ConfigurationError as exc:
        return _refused(str(exc), 2)
    if parsed.print_config:
        print(options.format_effective(parsed), end="")
        return 0
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every key in use
    logs.configure(parsed.settings.log_level, parsed.settings.log_format)
    for warning in parsed.warnings:
        log.warning("%s", warning)
    if parsed.settings.workers == 1:
        return _run(parsed)
    return _supervise(parsed)


def _run(
    parsed: Parsed,
    sockets: Sequence[socket.socket] | None = None,
    worker: Worker | None = None,
) -> int:
    """Serve in this process, to its exit code."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(parsed.settings, sockets, worker))
    except ConfigurationError as exc:
        return _refused(_with_source(str(exc), parsed), 2)
    except OSError as exc:
        return _refused(exc.strerror or str(exc), 1)
    except KMSError as exc:  # the database went away while we started
        return _refused(str(exc), 1)
    return 0


def _supervise(parsed: Parsed) -> int:
    """Serve in workers, of which this process is the supervisor, to its exit code."""
    settings = parsed.settings
    try:
        sockets = open_sockets(settings)
    except ConfigurationError as exc:
        return _refused(_with_source(str(exc), parsed), 2)
    except OSError as exc:
        return _refused(exc.strerror or str(exc), 1)
    count = settings.workers or os.cpu_count() or 1

    def log_start() -> None:
        log.info("listening on %s", server_url(settings, sockets))
        log.info("%d workers share the port", count)

    return Supervisor(
        lambda worker: _run(parsed, sockets, worker),
        count=count,
        shutdown_timeout_s=settings.shutdown_timeout_s,
        on_started=log_start,
    ).run()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where the extra `fast` is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def serve(
    settings: Settings,
    sockets: Sequence[socket.socket] | None = None,
    worker: Worker | None = None,
) -> None:
    """Listen until SIGTERM or SIGINT; a second signal changes nothing.

    sockets, worker: where there are several workers, each of which stops, too, when its supervisor is gone.
    """
    stop = asyncio.Event()
    server = Server(settings, sockets, worker)
    stopping = (signal.SIGTERM, signal.SIGINT)
    for number in stopping:
        _on_signal(number, stop.set)
    _on_signal(signal.SIGHUP, server.reload)
    async with server:
        if server.dev_issuer is not None:
            print(format_dev_text(server.dev_issuer, server.url), flush=True)
        if worker is not None:
            asyncio.get_running_loop().add_reader(worker.supervisor_gone, stop.set)
            worker.report_ready()
        await stop.wait()
        if worker is not None:
            asyncio.get_running_loop().remove_reader(worker.supervisor_gone)
        log.info("stopping: finishing the requests in flight")
    log.info("stopped")
    for number in (*stopping, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # there is nothing left to stop


def _on_signal(number: signal.Signals, act: Callable[[], None]) -> None:
    """Have the loop act on the signal.

    Not by loop.add_signal_handler: its handlers end with the loop, a moment before the process
    does, and a second SIGTERM in that moment would kill what is about to end well.
    """
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)

    signal.signal(number, handle)


def _refused(text: str, code: int) -> int:
    """One line, whatever a library's words are."""
    print(f"kms-tornado: {' '.join(text.split())}", file=sys.stderr)
    return code


def _with_source(text: str, parsed: Parsed) -> str:
    """Put where the option was set behind its name, as for the faults found before the start."""
    match = re.match(r"(?:--)?([\w-]+)(?=[: ])", text)
    if match is None:
        return text
    source = next((e.source for e in parsed.effective if e.name == match[1]), None)
    return text if source is None else f"{match[0]} ({source}){text[match.end() :]}"


if __name__ == "__main__":
    sys.exit(main())
