"""The URL of a PostgreSQL is read as libpq reads it, and no part of a password is ever shown."""

from __future__ import annotations

import pytest

from kms_tornado.errors import ConfigurationError
from kms_tornado.store.postgres.connections.address import parse_address

from ....rows import each_row

pytest.importorskip("psycopg")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("PGDATABASE", "PGSERVICE", "PGHOST"):
        monkeypatch.delenv(name, raising=False)


@each_row(
    ("url", "parameters", "name"),
    [
        pytest.param(
            "postgresql://kms@db/kms",
            {"user": "kms", "host": "db", "dbname": "kms"},
            "postgresql://kms@db/kms",
            id="one host",
        ),
        pytest.param(
            "postgresql://h1:5001,h2:5002/kms?target_session_attrs=read-write",
            {"host": "h1,h2", "port": "5001,5002", "target_session_attrs": "read-write"},
            "postgresql://h1:5001,h2:5002/kms",
            id="several hosts with their ports",
        ),
        pytest.param(
            "postgresql://u:s3cret@h1:5001,h2,h3/kms",
            {"host": "h1,h2,h3", "port": "5001,,"},
            "postgresql://u:***@h1:5001,h2,h3/kms",
            id="some with a port",
        ),
        pytest.param(
            "postgresql://[2001:db8::1]:5001,[::1]/kms",
            {"host": "2001:db8::1,::1", "port": "5001,"},
            "postgresql://[2001:db8::1]:5001,[::1]/kms",
            id="IPv6",
        ),
        pytest.param(
            "postgresql:///kms?host=h1,h2&port=1,2",
            {"host": "h1,h2", "port": "1,2"},
            "postgresql://h1:1,h2:2/kms",
            id="hosts as a parameter",
        ),
        pytest.param(
            "postgresql:///kms?host=h1,h2&port=5433",
            {"host": "h1,h2", "port": "5433"},
            "postgresql://h1:5433,h2:5433/kms",
            id="one port for all of them",
        ),
        pytest.param(
            "postgresql:///kms?host=/run/postgresql",
            {"host": "/run/postgresql"},
            "postgresql://%2Frun%2Fpostgresql/kms",
            id="the directory of a socket",
        ),
        pytest.param(
            "postgresql://%2Frun%2Fpostgresql,db/kms",
            {"host": "/run/postgresql,db"},
            "postgresql://%2Frun%2Fpostgresql,db/kms",
            id="a socket and a host",
        ),
        pytest.param(
            "postgresql://u:p%40ss%2Fw%3A%25@h/kms",
            {"user": "u", "password": "p@ss/w:%"},
            "postgresql://u:***@h/kms",
            id="a password with signs",
        ),
        pytest.param(
            "postgresql://u:pa?ss#w@h/kms",
            {"password": "pa?ss#w", "host": "h"},
            "postgresql://u:***@h/kms",
            id="signs that libpq takes as they are",
        ),
        pytest.param(
            "postgresql://h/kms?user=u&password=s3cret%20x&connect_timeout=2",
            {"user": "u", "password": "s3cret x", "connect_timeout": "2"},
            "postgresql://u:***@h/kms",
            id="user and password as parameters",
        ),
        pytest.param(
            "postgresql://h?dbname=kms", {"dbname": "kms"}, "postgresql://h/kms", id="database, too"
        ),
        pytest.param(
            "postgresql://?service=kms", {"service": "kms"}, "postgresql:///", id="a service"
        ),
        pytest.param(
            "postgresql://h/kms?sslmode=verify-full&sslrootcert=system&load_balance_hosts=random",
            {"sslmode": "verify-full", "sslrootcert": "system", "load_balance_hosts": "random"},
            "postgresql://h/kms",
            id="TLS and load balancing",
        ),
        pytest.param(
            "postgresql://h/kms?application_name=a@b",
            {"application_name": "a@b"},
            "postgresql://h/kms",
            id="an @ in a parameter",
        ),
        pytest.param("postgres://h/kms", {"host": "h"}, "postgresql://h/kms", id="short scheme"),
        pytest.param(
            "postgresql+psycopg://h/kms", {"host": "h"}, "postgresql://h/kms", id="SQLAlchemy's"
        ),
    ],
)
def test_a_url_means_what_libpq_takes_it_for(url, parameters, name):
    address = parse_address(url)
    assert parameters.items() <= address.parameters.items()
    assert address.name == name
    assert "s3cret" not in repr(address)


@each_row(
    ("url", "fault"),
    [
        pytest.param("postgresql://u:s3cret@h", "names no database", id="no database"),
        pytest.param("postgresql://u:s3cret@h:port/kms", "no number from 1", id="odd port"),
        pytest.param("postgresql://h:0/kms", "no number from 1", id="port 0"),
        pytest.param("postgresql://h1,h2:99999/kms", "no number from 1", id="too high a port"),
        pytest.param("postgresql:///kms?host=a,b,c&port=1,2", "number of ports", id="ports"),
        pytest.param(
            "postgresql:///kms?host=a,b&hostaddr=::1,::2,::3", "number of hosts", id="addresses"
        ),
        pytest.param("postgresql://u:12/s3cret@h/kms", "not written %2F", id="a / in a password"),
        pytest.param("postgresql://u:s3cret@x@h/kms", "%40", id="an @ in a password"),
        pytest.param("postgresql://u:s3cret%zz@h/kms", "is not a database URL", id="odd escape"),
        pytest.param("postgresql://u:s3cret%00@h/kms", "is not a database URL", id="NUL"),
        pytest.param("postgresql://u:s3cret@h/kms?a", "is not a database URL", id="no value"),
        pytest.param("postgresql://u:s3cret@[::1/kms", "is not a database URL", id="open bracket"),
        pytest.param("postgresql://u:s3cret@h/kms?x=a b", "that libpq", id="unknown, and a space"),
        pytest.param("postgresql://h/kms?colour=s3cret", "a parameter colour", id="unknown"),
        pytest.param("postgresql://h/kms?s3cret=1", "a parameter that libpq", id="odd name"),
        pytest.param("postgresql://h/kms?host=a&host=b", "has host twice", id="SQLAlchemy's hosts"),
        pytest.param(
            "postgresql://h/kms?target_session_attrs=standby",
            "any, primary, read-write",
            id="a standby is asked for",
        ),
        pytest.param("postgresql://h/kms?sslmode=s3cret", "sslmode with another", id="sslmode"),
        pytest.param("postgresql://h/kms?connect_timeout=5s", "no whole number", id="timeout"),
        pytest.param("postgresql://h/kms?replication=true", "cannot use", id="replication"),
        pytest.param("postgresql://h/kms?client_encoding=latin1", "another value", id="encoding"),
        pytest.param(
            "postgresql://h/kms?sslmode=verify-full&sslrootcert=/absent/ca.pem",
            "sslrootcert, which names no file that can be read: /absent/ca.pem",
            id="absent CA",
        ),
        pytest.param("postgresql://h/kms?passfile=/absent", "passfile", id="absent passfile"),
    ],
)
def test_a_faulty_url_is_refused_in_one_line_before_anything_connects(url, fault):
    with pytest.raises(ConfigurationError, match=fault) as caught:
        parse_address(url)
    line = str(caught.value)
    assert caught.value.fields == ("database_url",)
    assert "\n" not in line
    assert not {"s3cret", "12/", "x@h"} & {
        part for part in ("s3cret", "12/", "x@h") if part in line
    }
    assert caught.value.__cause__ is None


def test_the_database_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("PGDATABASE", "kms")
    assert parse_address("postgresql://h").name == "postgresql://h/"
