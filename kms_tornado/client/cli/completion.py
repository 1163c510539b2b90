"""`kmsctl completion`: what a shell needs in order to complete commands and options."""

from __future__ import annotations

import click

#: Shell → the file that it reads at its start, and the line to put there.
STARTS = {
    "bash": ("~/.bashrc", 'eval "$(kmsctl completion bash)"'),
    "zsh": ("~/.zshrc", 'eval "$(kmsctl completion zsh)"'),
    "fish": ("~/.config/fish/config.fish", "kmsctl completion fish | source"),
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(STARTS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and their values in SHELL.

    For every new shell put the line below into its start file: ~/.bashrc, ~/.zshrc, or
    ~/.config/fish/config.fish with "kmsctl completion fish | source".

    \b
    eval "$(kmsctl completion bash)"
    """
    from click.shell_completion import get_completion_class

    from .running import COMPLETE_VARIABLE, PROGRAM

    completer = get_completion_class(shell)
    assert completer is not None
    script = completer(ctx.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source()
    # Click's script for fish would cut a description at its first comma.
    click.echo(script.replace('string split ","', 'string split --max 1 ","'))
