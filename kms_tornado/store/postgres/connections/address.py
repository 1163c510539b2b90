"""The address of a PostgreSQL database: a URL in libpq's form, parsed by libpq, and checked before anything connects.

libpq's messages about a faulty URL may quote the password in it, so none of them is shown. A password with a / or an @
that was not escaped ends up in another part of the URL; such URLs are refused.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from ....errors import ConfigurationError

_SCHEME = re.compile(r"(postgresql|postgresql\+psycopg|postgres)://(?P<rest>.*)", re.DOTALL)

#: Parameters with few values. libpq itself checks them only when it connects.
_WORDS: Mapping[str, frozenset[str]] = {
    # Not standby, prefer-standby and read-only: this server writes.
    "target_session_attrs": frozenset({"any", "read-write", "primary"}),
    "load_balance_hosts": frozenset({"disable", "random"}),
    "sslmode": frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
    "channel_binding": frozenset({"disable", "prefer", "require"}),
    "gssencmode": frozenset({"disable", "prefer", "require"}),
    "client_encoding": frozenset({"utf8", "UTF8", "utf-8", "UTF-8"}),
}
_NUMBERS = (
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
)
_FILES = ("passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl")
# What would make another kind of connection.
_REFUSED = ("replication",)


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL.

    parameters: of libpq, by keyword.
    name: the URL without password and parameters, for messages.
    """

    parameters: Mapping[str, str] = field(repr=False)
    name: str

    @property
    def has_several_hosts(self) -> bool:
        hosts = self.parameters.get("host") or self.parameters.get("hostaddr") or ""
        return "," in hosts


def parse_address(url: str) -> Address:
    """Parse the URL.

    Raises ImportError where the driver is missing, and ConfigurationError, which never shows a password.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    match = _SCHEME.fullmatch(url)
    if match is None:
        raise _refusal("is not a database URL")
    rest = match["rest"]
    _check_escapes(rest)
    _check_names(rest)
    try:
        parsed = conninfo_to_dict(f"postgresql://{rest}")
    except (ProgrammingError, UnicodeError):
        raise _refusal(
            "is not a database URL: postgresql://user:password@host:port/database?name=value; "
            "spaces, / and @ in a value are written %20, %2F and %40"
        ) from None
    parameters = {name: str(value) for name, value in parsed.items()}
    _check_place(parameters)
    _check_values(parameters)
    return Address(parameters, _make_name(parameters))


def _check_escapes(rest: str) -> None:
    place, _, path = rest.partition("/")
    # In libpq a user and a password may contain a ?, so the first / ends them.
    if place.count("@") > 1 or "@" in path.partition("?")[0]:
        raise _refusal("has a / or an @ in a password or a name that is not written %2F or %40")


def _check_names(rest: str) -> None:
    """Refuse unknown parameters, which the error names, and those that are given twice."""
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
    _, _, query = rest.rpartition("@")[2].partition("?")
    names = [unquote(pair.partition("=")[0]) for pair in query.split("&") if "=" in pair]
    for name, times in Counter(names).items():
        if name not in known:
            shown = f" {name}" if re.fullmatch(r"[A-Za-z_]{1,40}", name) else ""
            raise _refusal(f"has a parameter{shown} that libpq does not know")
        if times > 1:
            raise _refusal(f"has {name} twice; several hosts are separated by commas")


def _check_place(parameters: Mapping[str, str]) -> None:
    if not (
        {"dbname", "service"} & parameters.keys() or {"PGDATABASE", "PGSERVICE"} & os.environ.keys()
    ):
        raise _refusal("names no database: postgresql://user@host/database")
    hosts = parameters.get("host", "").split(",")
    addresses = parameters.get("hostaddr", "").split(",")
    ports = parameters.get("port", "").split(",")
    if len(addresses) > 1 and len(hosts) > 1 and len(addresses) != len(hosts):
        raise _refusal("has another number of hosts than of addresses")
    if len(ports) not in {1, len(hosts), len(addresses)}:
        raise _refusal("has another number of ports than of hosts")
    for port in filter(None, ports):
        if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
            raise _refusal("has a port that is no number from 1 to 65535")


def _check_values(parameters: Mapping[str, str]) -> None:
    for name in _REFUSED:
        if name in parameters:
            raise _refusal(f"has {name}, which this server cannot use")
    for name, words in _WORDS.items():
        if parameters.get(name, next(iter(words))) not in words:
            raise _refusal(f"has {name} with another value than {', '.join(sorted(words))}")
    for name in _NUMBERS:
        if not re.fullmatch(r"[0-9]{1,9}", parameters.get(name, "0"), re.ASCII):
            raise _refusal(f"has {name}, which is no whole number")
    for name in _FILES:
        path = parameters.get(name)
        if path and not (name == "sslrootcert" and path == "system") and not _is_file(path):
            raise _refusal(f"has {name}, which names no file that can be read: {path}")


def _is_file(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.R_OK)


def _make_name(parameters: Mapping[str, str]) -> str:
    user = quote(parameters.get("user", ""), safe="")
    if user:
        user += ":***@" if "password" in parameters else "@"
    hosts = (parameters.get("host") or parameters.get("hostaddr") or "").split(",")
    ports = parameters.get("port", "").split(",")
    ports = ports if len(ports) == len(hosts) else ports * len(hosts)
    places = [
        (f"[{host}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
        for host, port in zip(hosts, ports, strict=False)
    ]
    return f"postgresql://{user}{','.join(places)}/{quote(parameters.get('dbname', ''), safe='')}"


def _refusal(fault: str) -> ConfigurationError:
    return ConfigurationError(fault, "database_url")
