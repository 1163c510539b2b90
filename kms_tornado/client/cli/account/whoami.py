"""`kmsctl whoami`: who the user is to the server, and for how long."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click

from ..output import Cell, show_fields
from ..session import Session


@click.command()
@click.pass_obj
def whoami(session: Session) -> None:
    """Print who you are to the server, who says so, and how long your token is good.

    \b
    kmsctl whoami
    """
    answer = session.client.whoami()
    show_fields(
        {
            "name": _text(answer.get("name")),
            "issuer": _text(answer.get("issuer")),
            "subject": _text(answer.get("subject")),
            "groups": _list(answer.get("groups"), session),
            "scopes": _list(answer.get("scopes"), session),
            **_expiry(answer.get("expires_at"), session),
            "is_renewed": session.is_token_renewed,
            "is_bound": session.is_token_bound,
            "server_url": session.connection_settings.server_url,
            "token_from": session.token_place,
        }
    )


def _expiry(expires_at: Any, session: Session) -> dict[str, Cell]:
    """When the token ends, and the time that is left: in words for people, in seconds for programs."""
    name = "time_left" if session.is_terminal else "seconds_left"
    try:
        ends = datetime.fromtimestamp(expires_at, UTC)
    except (TypeError, ValueError, OverflowError, OSError):  # none, or no time
        return {"expires_at": None, name: None}
    seconds = int(expires_at - time.time())
    return {
        "expires_at": ends,
        name: describe_duration(seconds) if session.is_terminal else seconds,
    }


def describe_duration(seconds: int) -> str:
    """The time that is left, in the two largest units: ``2 d 3 h``, ``59 min 4 s``."""
    if seconds <= 0:
        return "none, it has expired"
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    parts = [(days, "d"), (hour, "h"), (minute, "min"), (second, "s")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _list(value: Any, session: Session) -> list[str]:
    texts = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
    return texts or (["none"] if session.is_terminal else [])
