"""One run of the command line: parses, calls the command, and turns errors into a line and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

import click

from ...streams import fill_missing_streams
from .output import discard_output, printing
from .root import kmsctl
from .session import Session

PROGRAM = "kmsctl"

#: Set by the shell's completion function while it asks for completions.
COMPLETE_VARIABLE = "_KMSCTL_COMPLETE"

#: What shells report for a program that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED = 130


def run(arguments: Sequence[str]) -> int:
    """Run one command, and return the exit code."""
    fill_missing_streams()
    try:
        return _run(arguments)
    finally:
        for stream in (sys.stdout, sys.stderr):
            _flush_or_discard(stream)


def _run(arguments: Sequence[str]) -> int:
    session = Session(os.environ)
    if COMPLETE_VARIABLE in os.environ:
        return _complete(session)
    _print_everything()
    try:
        with session, _warnings_on_one_line():
            code = _invoke(arguments, session)
        with printing():
            pass
    except (KeyboardInterrupt, click.Abort):
        # On a line of its own: the terminal shows ^C, and whoever asked a question left the cursor there.
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads the output has seen enough
        discard_output()
        return 0
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        return 2
    except Exception as exc:  # the outermost edge: a traceback helps nobody at a prompt
        from .failures import describe_failure

        line, code = describe_failure(exc, session.token_variable)
        with suppress(OSError):  # the exit code still tells the result
            print(f"{PROGRAM}: {line}", file=sys.stderr)
        if os.environ.get("KMSCTL_TRACEBACK"):
            raise
    return code


def _invoke(arguments: Sequence[str], session: Session) -> int:
    """Call the command. If it returns a number, that is the exit code."""
    if arguments[:1] == ["help"]:  # as people ask git and docker
        arguments = [*arguments[1:], "--help"]
    try:
        with kmsctl.make_context(PROGRAM, list(arguments), obj=session) as context:
            result = kmsctl.invoke(context)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    return result if isinstance(result, int) else 0


@contextmanager
def _warnings_on_one_line() -> Iterator[None]:
    """Print the library's warnings in the form of errors, without a path and a line of code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print(f"{PROGRAM}: warning: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = show
        yield


def _complete(session: Session) -> int:
    """Answer the shell. Any error is silent, because the user is in the middle of typing."""
    from click.shell_completion import shell_complete

    with suppress(Exception):
        return shell_complete(
            kmsctl, {"obj": session}, PROGRAM, COMPLETE_VARIABLE, os.environ[COMPLETE_VARIABLE]
        )
    return 1


def _print_everything() -> None:
    """Escape characters that the terminal's encoding lacks: a Greek Name is not an error on a Latin-1 terminal."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _flush_or_discard(stream: TextIO) -> None:
    """Flush the stream, so that the interpreter's own flush at exit cannot change the exit code."""
    try:
        stream.flush()
    except (OSError, ValueError):
        discard_output(stream)
