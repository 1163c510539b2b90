"""The command `kmsctl` itself: commands that are loaded when they are called, and options that may stand anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from .commands import COMMANDS, SECTIONS
from .session import Session

#: How much of two names is the same where one is a misspelling of the other: "grnt" and "grant" 0.9, but
#: "frobnicate" and "locate" 0.6.
_ALIKE = 0.75


class Group(click.Group):
    """A noun of the command line. The error for an unknown command suggests those with a similar spelling."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            raise click.UsageError(_unknown_command(name, self.list_commands(ctx)), ctx)
        _, command, rest = super().resolve_command(ctx, args)
        if command is None or isinstance(command, click.Group) or ctx.resilient_parsing:
            return name, command, rest
        _check_given_once(click.Context(command, ctx, name), rest)
        return name, command, rest


def _check_given_once(ctx: click.Context, args: list[str]) -> None:
    """Refuse an option with one value that is given twice, as ckms does. click would use the last one.

    A user who writes ``--for alice --for bob`` means both, and would have encrypted for bob alone. A global option may
    be repeated: one after the command overrides that of an alias.
    """
    try:
        _, _, parameters = ctx.command.make_parser(ctx).parse_args(list(args))
    except click.UsageError:
        return  # told when click parses
    for param in parameters:
        takes_one = isinstance(param, click.Option) and not (
            param.multiple or param.is_flag or param.count or param.callback is _store
        )
        if takes_one and parameters.count(param) > 1:
            raise click.UsageError(f"{param.opts[0]} takes one value: give it once", ctx)


def _unknown_command(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=3, cutoff=_ALIKE)
    if close:
        return f"no such command {name!r}: did you mean {' or '.join(close)}?"
    return f"no such command {name!r}: {', '.join(known)} are the commands here"


class LazyGroup(Group):
    """Commands whose modules are imported when they are called.

    table: {name: (where the command is defined, its line in the list of commands)}.
    package: the package of modules whose names begin with a dot.
    """

    def __init__(
        self,
        name: str,
        table: Mapping[str, tuple[str, str]],
        *,
        package: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name, **settings)
        self._table = table
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._table]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command = self.make_command(
            cmd_name, getattr(import_module(module, self._package), attribute)
        )
        attach_global_options(command)
        return command

    def make_command(self, name: str, loaded: Any) -> click.Command:
        """The command, made from the object that the table refers to."""
        assert isinstance(loaded, click.Command)
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(self._list_descriptions())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click does it, but without importing every command for its help."""
        names = [
            CompletionItem(name, help=text)
            for name, text in self._list_descriptions()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def _list_descriptions(self) -> list[tuple[str, str]]:
        loaded = [(name, one.get_short_help_str(limit=80)) for name, one in self.commands.items()]
        return loaded + [(name, text) for name, (_, text) in self._table.items()]


class RootGroup(LazyGroup):
    """The commands of `COMMANDS`, which --help lists in sections."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        starts = [*map(list(COMMANDS).index, SECTIONS), len(COMMANDS)]
        rows = [(name, text) for name, (_, text) in COMMANDS.items()]
        for title, start, end in zip(SECTIONS.values(), starts, starts[1:], strict=False):
            with formatter.section(title):
                formatter.write_dl(rows[start:end], col_max=16)


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep the value of a global option, wherever it stands."""
    if value is not None and value is not False and ctx.obj is not None:
        setattr(ctx.find_object(Session).options, param.name or "", value)  # type: ignore[union-attr]


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from kms_tornado import __version__

        click.echo(f"kmsctl {__version__}")
        ctx.exit()


def _global_options(*, hidden: bool) -> list[click.Option]:
    """The options that every command takes; on the commands themselves they are not listed again."""

    def option(*declarations: str, **settings: Any) -> click.Option:
        return click.Option(
            declarations, expose_value=False, callback=_store, hidden=hidden, **settings
        )

    return [
        # Behind a command -c is the command's own, such as a curve.
        option("configuration_file", "--conf", "--conf-path", *([] if hidden else ["-c"]), metavar="FILE", type=click.Path(path_type=Path),
               help="The configuration file, instead of the first that is found."),
        option("server_url", "--url", "--kms-url", metavar="URL", help="The URL of the server."),
        option("accepts_invalid_certs", "--accept-invalid-certs", is_flag=True, default=None,
               help="Accept whatever certificate the server shows. Anybody on the way can then read along."),
        option("is_json", "--json", is_flag=True, default=None, help="Print one JSON document."),
        option("shows_kmip", "--kmip-json", "--print-json", "--kms-print-json", is_flag=True, default=None,
               help="Show the requests and the answers on stderr: the token is not among them, but keys and "
               "plaintexts are, where the command sends or fetches any."),
        option("is_confirmed", "--yes", is_flag=True, default=None,
               help="Do dangerous things without asking."),
        option("is_quiet", "--quiet", is_flag=True, default=None,
               help="No progress and no pleasantries, even on a terminal."),
    ]  # fmt: skip


def attach_global_options(command: click.Command) -> None:
    """Let a command and its subcommands accept the global options, unless they have options with the same names."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            attach_global_options(child)
    own_flags = {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)}
    command.params.extend(
        option for option in _global_options(hidden=True) if not own_flags & set(option.opts)
    )


def _root(callback: Callable[[], None]) -> RootGroup:
    version = click.Option(
        ["-V", "--version"], is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
        help="Print the version and exit.",
    )  # fmt: skip
    return RootGroup(
        "kmsctl",
        COMMANDS,
        callback=callback,
        params=[*_global_options(hidden=False), version],
        help=callback.__doc__,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


@_root
def kmsctl() -> None:
    """Use a key management server: make keys, share them, encrypt and decrypt files.

    The options below may stand before the command or after it. Exit codes: 0 done, 1 refused,
    2 wrong usage or configuration, 3 no connection.
    """
