"""`kms-tornado health`: checks that the server of this configuration answers. It is run on the server's own machine.

For health checks that run a command, as in containers: the image needs no other program for it.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from ..errors import ConfigurationError, Unavailable
from ..settings.server import Settings
from .output import say
from .running import CommandContext

#: Hosts that mean every address of the machine, and one that leads to it.
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared only
_MOST_BYTES = 1 << 20


async def run(context: CommandContext) -> int:
    say(check_health(context.settings, is_ready_wanted=context.arguments["ready"]))
    return 0


def check_health(settings: Settings, *, is_ready_wanted: bool, timeout_s: float = 5.0) -> str:
    """Ask ``/health``, or ``/ready``, and return what to print about a good answer.

    Raises Unavailable with one line for any other answer, and ConfigurationError where the server cannot be asked.
    """
    if settings.port == 0:
        raise ConfigurationError("0 picks any port; the check needs to know it", "port")
    needs_certificate = settings.clients_ca_cert_file is not None
    if needs_certificate and is_ready_wanted:
        raise ConfigurationError(
            "only clients with a certificate are let in, and the check has none; ask without --ready",
            "clients_ca_cert_file",
        )
    connection, url = _make_connection(settings, timeout_s)
    try:
        connection.connect()
        if needs_certificate:  # The handshake was answered; nobody without a certificate gets more.
            return "alive"
        return _ask(connection, "/ready" if is_ready_wanted else "/health")
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise Unavailable(f"the server at {url} does not answer: {_describe(exc)}") from None
    finally:
        connection.close()


def _make_connection(
    settings: Settings, timeout_s: float
) -> tuple[http.client.HTTPConnection, str]:
    host = _LOOPBACK.get(settings.hostname, settings.hostname)
    address = f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
    if settings.tls_cert_file is None:
        plain = http.client.HTTPConnection(host, settings.port, timeout=timeout_s)
        return plain, f"http://{address}"
    # The certificate is for the name that clients use, not for this address. Nothing secret is sent, and
    # whoever can listen at the server's own port here could end its process as well.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secure = http.client.HTTPSConnection(host, settings.port, timeout=timeout_s, context=context)
    return secure, f"https://{address}"


def _ask(connection: http.client.HTTPConnection, path: str) -> str:
    """Ask the server. Raises ValueError for an answer that is not this server's, Unavailable where it is not ready."""
    connection.request("GET", path)
    answer = connection.getresponse()
    body = json.loads(answer.read(_MOST_BYTES))
    state = body.get("status" if path == "/health" else "state") if isinstance(body, dict) else None
    if answer.status == 200 and path == "/health" and state == "UP":
        return "alive"
    if answer.status == 200 and state in ("OK", "DEGRADED"):
        return ": ".join(["ready", *_list_faults(body)])
    if answer.status == 503 and state == "DOWN":
        raise Unavailable(": ".join(["not ready", *_list_faults(body)]))
    raise ValueError(f"HTTP {answer.status} of something else")


def _list_faults(body: dict[str, Any]) -> list[str]:
    """The checks that are not OK, as one text; none where all are."""
    checks = body.get("checks")
    faults = [
        f"{name} is {check.get('state')} ({check.get('cause', 'no cause told')})"
        for name, check in (checks.items() if isinstance(checks, dict) else ())
        if isinstance(check, dict) and check.get("state") != "OK"
    ]
    return ["; ".join(faults)] if faults else []


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "what answers is another program"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
