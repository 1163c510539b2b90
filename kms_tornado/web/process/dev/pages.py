"""The pages of the issuer of --dev, as text: who signs in, which device, what went wrong.

They have no script, picture or inline style, and the policy of `page_headers` forbids them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

STYLE = """\
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 4rem auto; padding: 0 1rem; }
button, input { font: inherit; padding: .5rem 1rem; margin: .25rem 0; width: 100%; box-sizing: border-box; }
button { text-align: left; }
.chosen { font-weight: bold; }
.code { font-family: monospace; font-size: 1.6rem; letter-spacing: .1em; }
:root { color-scheme: light dark; }
"""

_SIGNED = "This is the issuer of <code>kms_tornado --dev</code>: no password, for one laptop."


def render_sign_in(client_id: str, users: Sequence[str], hint: str, ticket: str) -> str:
    """The question who signs in at the client. hint: the user who is listed first, if it is one of them."""
    return _page(
        "Sign in",
        f"<p>The program <strong>{escape(client_id)}</strong> wants to act for you at kms_tornado. "
        "Who are you?</p>" + _choice("/authorize", users, hint, ticket),
    )


def render_device(client_id: str, user_code: str, users: Sequence[str], ticket: str) -> str:
    """The same question for a device, with the code to compare (RFC 8628 §3.3.1)."""
    return _page(
        "Sign a device in",
        f"<p>The program <strong>{escape(client_id)}</strong> wants to act for you at kms_tornado, "
        "and shows this code, if it is yours:</p>"
        f'<p class="code">{escape(user_code)}</p>' + _choice("/device", users, "", ticket),
    )


def render_user_code_form(message: str = "") -> str:
    """The page where the code is typed. message: what was wrong with the last one."""
    return _page(
        "Sign a device in",
        (f"<p>{escape(message)}</p>" if message else "") + '<form method="get" action="/device">'
        '<label>The code that the program shows: <input name="user_code" autofocus required '
        'autocomplete="off" autocapitalize="characters" spellcheck="false"></label>'
        "<button>Go on</button></form>",
    )


def render_message(title: str, message: str) -> str:
    return _page(title, f"<p>{escape(message)}</p>")


def page_headers(redirect_uri: str = "") -> dict[str, str]:
    """The headers of a page: no cache keeps it, no other page frames it, and it contains nothing of other origins.

    redirect_uri: where its form finally leads. Browsers apply form-action to redirects, too.
    Referrer-Policy: with ``no-referrer``, browsers would send ``Origin: null`` with the page's own form.
    """
    target = ""
    if redirect_uri:
        origin = re.match(r"https?://[^/?]+", redirect_uri)
        # A policy has no words for IPv6 addresses.
        target = " http: https:" if origin is None or "[" in origin[0] else f" {origin[0]}"
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self'{target}",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
    }


def _choice(action: str, users: Sequence[str], hint: str, ticket: str) -> str:
    """A form with a button for each user, and one to refuse. The Enter key presses the first."""
    chosen = ' class="chosen" autofocus'
    buttons = "".join(
        f'<button name="user" value="{escape(user)}"{chosen if user == hint else ""}>'
        f"{escape(user)}</button>"
        for user in sorted(users, key=lambda user: user != hint)
    )
    return (
        f'<form method="post" action="{action}">'
        f'<input type="hidden" name="ticket" value="{escape(ticket)}">{buttons}'
        '<button name="user" value="refuse">Refuse</button></form>'
    )


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>{escape(title)} – kms_tornado --dev</title><link rel="stylesheet" href="/style.css">'
        f"</head><body><main><h1>{escape(title)}</h1>{body}<p><small>{_SIGNED}</small></p></main>"
        "</body></html>"
    )
