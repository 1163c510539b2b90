"""Where the server listens, what it limits, and what it says of itself."""

from __future__ import annotations

from ...networks import parse_network
from ...public_urls import parse_public_url
from ...settings.server import LOG_FORMATS, LOG_LEVELS
from ..converters import (
    parse_client_id,
    parse_host,
    parse_listen_address,
    parse_readable_file,
)
from ..kinds import Integer, Seconds, Switch, Text, make_choice
from ..option import Option

SERVER: tuple[Option, ...] = (
    Option("hostname", Text("HOST", parse_host), "host or address to listen on", "127.0.0.1"),
    Option("port", Integer(0, 65535, "PORT"), "port; 0 picks a free one", 9998),
    Option(
        "workers",
        Integer(0, 1024),
        "processes that share the port; 0: one per core",
        1,
    ),
    Option(
        "tls-cert-file",
        Text("PEM", parse_readable_file),
        "certificate chain; read again on SIGHUP (default: no TLS)",
    ),
    Option("tls-key-file", Text("PEM", parse_readable_file), "private key of the certificate"),
    Option(
        "clients-ca-cert-file",
        Text("PEM", parse_readable_file),
        "let in only clients that have a certificate of one of these CAs; their bearer "
        "token is needed all the same (default: no certificate is asked for)",
    ),
    Option(
        "public-url",
        Text("URL", parse_public_url),
        "the URL by which clients reach the server, named in metadata and challenges (default: the "
        "Host that was asked, if it is one listened for)",
        unset="the Host that was asked, if it is one listened for",
    ),
    Option(
        "trusted-proxies",
        Text("CIDR", parse_network),
        "networks or addresses of proxies; from these alone X-Forwarded-For, X-Forwarded-Proto and "
        "X-Request-ID are believed (default: from nobody)",
        repeatable=True,
    ),
    Option(
        "max-connections",
        Integer(1, 1_000_000),
        "connections that a process holds, at most what its file descriptors allow; half of "
        "them from one address",
        4096,
    ),
    Option(
        "send-timeout",
        Seconds(0, 86400, above=True),
        "an answer is dropped when its reader takes nothing of it for this long",
        60,
        setting="send_timeout_s",
    ),
    Option(
        "max-body-size",
        Integer(1, 2**40, "BYTES"),
        "larger request bodies are answered 413",
        16 * 1024 * 1024,
    ),
    Option(
        "user-rate",
        Integer(0, 1_000_000),
        "requests a second of one user, a message of many operations counting as one; more "
        "are answered 429; counted in each process of --workers; 0: any number",
        0,
    ),
    Option(
        "user-concurrency",
        Integer(0, 1_000_000),
        "requests at once of one user; more are answered 429; counted in each process of "
        "--workers; 0: any number",
        64,
    ),
    Option(
        "shutdown-timeout",
        Seconds(0, 86400),
        "time for requests in flight after SIGTERM",
        10,
        setting="shutdown_timeout_s",
    ),
    Option("log-level", make_choice(LOG_LEVELS), "least severity that is logged", "info"),
    Option("log-format", make_choice(LOG_FORMATS), "form of the log lines", "text"),
    Option("metrics", Switch(), "serve Prometheus metrics at /metrics, without a token", False),
    Option(
        "metrics-listen",
        Text("HOST:PORT", parse_listen_address),
        "serve the metrics there, over plain HTTP, and not on the port of everything else",
    ),
    Option("ui", Switch(), "serve the page for people at /ui/ (always on with --dev)", False),
    Option(
        "ui-client-id",
        Text("ID", parse_client_id),
        "the public client as which the page signs people in at --jwt-issuer-uri, with an "
        "authorization code and PKCE (default: they paste a token)",
    ),
)
