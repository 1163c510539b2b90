"""The event loop of one process, which serves until a signal stops it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from types import FrameType
from typing import TYPE_CHECKING

from ...settings.server import Settings
from .listening import Sockets
from .notify import notify_manager
from .server import Server
from .workers import Worker

if TYPE_CHECKING:
    from .dev.issuer import DevIssuer

log = logging.getLogger("kms_tornado.server")

#: Seconds for which a thread that computes may keep the interpreter's lock from the event loop, which lets go of it
#: eight times in each request, at every call of the system, of TLS and of SQLite. Beside a thread that searches, an
#: encrypt that takes 1.3 ms alone takes 6 at 0.5 ms (and with Python's own 5 ms, 40), 2.7 at 0.2, and 2.1 at 0.1.
#: Shorter ones gain nothing more, as the threads then change places all the time, and slow the search down.
_SWITCH_S = 0.0001

#: The garbage collector's thresholds: Python's own, but for the last. No thread runs while it goes through all objects,
#: 15 ms beside messages of a hundred operations, and what lives that long in a server is hardly ever garbage.
_GC_THRESHOLDS = (700, 10, 100)


def serve(
    settings: Settings,
    sockets: Sockets | None = None,
    worker: Worker | None = None,
    *,
    on_started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT; a second signal changes nothing.

    sockets, worker: as for `Server`. on_started: called once requests are served. A worker also stops when its supervisor is gone.
    Raises ConfigurationError, KMSError, or OSError where the start fails.
    """
    sys.setswitchinterval(_SWITCH_S)
    with asyncio.Runner(loop_factory=_choose_loop_factory()) as runner:
        runner.run(_serve(Server(settings, sockets, worker), worker, on_started))


async def _serve(server: Server, worker: Worker | None, on_started: Callable[[], None]) -> None:
    stop = asyncio.Event()
    stopping = (signal.SIGTERM, signal.SIGINT)
    for number in stopping:
        _on_signal(number, stop.set)
    _on_signal(signal.SIGHUP, server.reload)
    async with _waking_on_signals(), server:
        on_started()
        exempt_from_collection()
        if server.dev_issuer is not None:
            _print_dev_text(server, server.dev_issuer)
        if worker is not None:
            asyncio.get_running_loop().add_reader(worker.supervisor_gone, stop.set)
            worker.report_ready()
        else:
            notify_manager("READY=1")  # for workers, their supervisor does it
        await stop.wait()
        if worker is not None:
            asyncio.get_running_loop().remove_reader(worker.supervisor_gone)
        else:
            notify_manager("STOPPING=1")
        log.info("stopping: finishing the requests in flight")
    log.info("stopped")
    for number in (*stopping, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # there is nothing left to stop


def _print_dev_text(server: Server, issuer: DevIssuer) -> None:
    from .dev.issuer import LIFETIME_S
    from .dev.text import find_lifetime, find_refusal, format_dev_text

    trust = server.settings.make_trust(issuer.trusted_issuer())
    if (refusal := find_refusal(issuer, trust)) is not None:
        log.warning(
            "--dev: the tokens that it prints are refused by this configuration: %s", refusal
        )
    elif (lifetime_s := find_lifetime(trust)) < LIFETIME_S:
        log.warning("--dev: the tokens that it prints end after %g s (--jwt-max-age)", lifetime_s)
    certificate = server.settings.tls_cert_file
    print(format_dev_text(issuer, trust, server.url, certificate, server.dev_kmip), flush=True)


def exempt_from_collection() -> None:
    """Have the garbage collector ignore what the start has created, which stays as long as the process.

    Going through it takes 50 ms or more, in which no thread runs, and a busy server would do it every few seconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _choose_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's factory if the extra `fast` is installed; None means asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _on_signal(number: signal.Signals, act: Callable[[], None]) -> None:
    """Have the loop call `act` on the signal.

    loop.add_signal_handler is not used: its handlers are removed with the loop, a moment before the
    process ends, and a second SIGTERM in that moment would kill a process that is about to exit cleanly.

    `act` runs in the context of this call: a signal interrupts any request, and is none of its business.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act, context=context)

    signal.signal(number, handle)


@contextlib.asynccontextmanager
async def _waking_on_signals() -> AsyncIterator[None]:
    """Have each signal wake the event loop, whenever it comes and whichever thread receives it.

    Python runs a handler between two steps of the main thread. If another thread receives the signal, or if it comes in
    the moment before the loop goes to sleep, it does not end that sleep. On an idle server the handler would then run
    at the next request, and SIGTERM would seem to be ignored.
    """
    loop = asyncio.get_running_loop()
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)

        def drain() -> None:  # Python code, so that handlers run on uvloop too, which is all in C
            reader.recv(4096)

        loop.add_reader(reader, drain)
        former = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former)
            loop.remove_reader(reader)
