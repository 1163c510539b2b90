"""The table [kms] of the configuration file, checked as a whole."""

from __future__ import annotations

import pytest

from kms_tornado.options import parse

from ..rows import each_row
from .helpers import TRUSTING, refusal

SECONDS = "needs a number of seconds, not"


@each_row(
    ("line", "fault"),
    [
        ('port = "80"', "--port (file FILE): needs an integer, not a string"),
        ("port = 80.0", "--port (file FILE): needs an integer, not a float"),
        ("port = true", "--port (file FILE): needs an integer, not a boolean"),
        ("port = 70000", "--port (file FILE): out of range: 0 to 65535, not 70000"),
        (f"port = 0x{'f' * 9000}", "--port (file FILE): out of range: 0 to 65535"),
        ('jwt-leeway = "60"', f"--jwt-leeway (file FILE): {SECONDS} a string"),
        ("jwt-leeway = true", f"--jwt-leeway (file FILE): {SECONDS} a boolean"),
        (f"jwt-leeway = {'9' * 400}", "--jwt-leeway (file FILE): out of range: 0 to 300 seconds"),
        ("jwt-leeway = 300.5", "--jwt-leeway (file FILE): out of range: 0 to 300 seconds, not 300.5"),
        ("jwt-leeway = nan", "--jwt-leeway (file FILE): out of range: 0 to 300 seconds"),
        ("jwt-leeway = inf", "--jwt-leeway (file FILE): out of range: 0 to 300 seconds"),
        ("hostname = 1", "--hostname (file FILE): needs a string, not an integer"),
        ("hostname = true", "--hostname (file FILE): needs a string, not a boolean"),
        ("hostname = []", "--hostname (file FILE): needs a string, not a list"),
        ("hostname = 1979-05-27", "--hostname (file FILE): needs a string, not a date or time"),
        ('hostname = ""', "--hostname (file FILE): the value is empty"),
        ('hostname = "a\\nb"', "--hostname (file FILE): the value contains control characters"),
        ('dev = "true"', "--dev (file FILE): needs true or false, not a string"),
        ("dev = 2", "--dev (file FILE): needs true or false, not an integer"),
        ("dev = 1.0", "--dev (file FILE): needs true or false, not a float"),
        ('jwt-audience = "a"', "--jwt-audience (file FILE): needs a list of strings, not a string"),
        ("jwt-audience = [1]", "--jwt-audience (file FILE): needs a string, not an integer"),
        ('jwt-audience = [""]', "--jwt-audience (file FILE): the value is empty"),
        ("jwt-algorithms = []", "--jwt-algorithms (file FILE): at least one is needed"),
        ("jwt-token-types = []", "--jwt-token-types (file FILE): at least one is needed"),
        ("jwt_leeway = 1", "jwt_leeway (file FILE): unknown key; did you mean jwt-leeway?"),
        ("colour = 1", "colour (file FILE): unknown key"),
        ("print-config = true", "print-config (file FILE): unknown key"),
        ('"a\\nb" = 1', "'a\\nb' (file FILE): unknown key"),
        ('config = "x"', "config (file FILE): cannot be set in the file, only by --config or KMS_CONFIG"),
        ('master-key = "x"', "master-key (file FILE): cannot be set in the file, only by KMS_MASTER_KEY"),
        ("host = 1", "host (file FILE): unknown key; did you mean hostname?"),
        ("[kms.jwt]\nleeway = 1", "jwt.leeway (file FILE): unknown key: options stand in [kms] itself, not in"),
        ("[[kms.server]]\nport = 1", "server.port (file FILE): unknown key: options stand in [kms] itself"),
        ("[[kms.issuers]]\nuri = 1", "issuers (file FILE): unknown key; did you mean issuer?"),
        ("[server]\nport = 1", "server.port (file FILE): stands outside the table [kms]"),
        ("[server]", "server (file FILE): stands outside the table [kms]"),
    ],
)  # fmt: skip
def test_nonsense_in_the_file_is_refused_by_name(toml, line, fault):
    path = toml(f"[kms]\n{line}\n")
    assert refusal([*TRUSTING, "-c", path]).startswith(fault.replace("FILE", path))


def test_key_above_the_table_is_refused(toml):
    path = toml("port = 1\n[kms]\n")
    line = refusal([*TRUSTING, "-c", path])
    assert line == f"port (file {path}): stands outside the table [kms]"


@pytest.mark.parametrize(
    ("table", "keys", "fault"),
    [
        ("", ["port", "hostname"], "port, hostname (file FILE): stand outside the table [kms]"),
        (
            "[kmss]",
            ["port", "hostname"],
            "kmss.port, kmss.hostname (file FILE): stand outside the table [kms]; did you mean [kms]?",
        ),
        (
            "[KMS]",
            ["port"],
            "KMS.port (file FILE): stands outside the table [kms]; did you mean [kms]?",
        ),
        (
            "[server]",
            ["a", "b", "c", "d", "e", "f", "g"],
            "server.a, server.b, server.c, server.d, server.e and 2 more (file FILE): "
            "stand outside the table [kms]",
        ),
    ],
)
def test_keys_in_a_wrong_table_are_one_fault_that_says_its_sentence_once(toml, table, keys, fault):
    path = toml("\n".join([table, *(f"{key} = 1" for key in keys)]))
    assert refusal([*TRUSTING, "-c", path]) == fault.replace("FILE", path)


def test_key_named_kms_is_no_table(toml):
    path = toml("kms = 1")
    assert refusal(["-c", path]) == f"kms (file {path}): needs a table [kms], not an integer"


def test_file_is_checked_where_a_flag_overrides_it_too(toml):
    path = toml("[kms]\nport = 70000")
    line = refusal([*TRUSTING, "-c", path, "--port", "1"])
    assert line == f"--port (file {path}): out of range: 0 to 65535, not 70000"


def test_byte_order_mark_in_front_of_the_file_is_no_mistake(toml):
    path = toml(b"\xef\xbb\xbf[kms]\nport = 4711\n")
    assert parse([*TRUSTING, "-c", path], {}).settings.port == 4711


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"[kms", "not valid TOML: ", id="not TOML"),
        pytest.param(b"[kms]\nport = 1\nport = 2", "not valid TOML: ", id="key twice"),
        pytest.param(b"[kms]\nx = '\xff'", "not UTF-8", id="not UTF-8"),
        pytest.param(b"x = " + b"[" * 9000, "not valid TOML: ", id="nested too deeply"),
        pytest.param(b"x = " + b"9" * 9000, "not valid TOML: ", id="too many digits"),
        pytest.param(b"#" * (1024 * 1024 + 1), "larger than 1 MiB", id="too large"),
    ],
)
def test_file_that_is_no_configuration_is_refused(toml, content, fault):
    path = toml(content)
    assert refusal(["--config", path]).startswith(f"--config (flag): cannot read {path}: {fault}")


def test_file_that_cannot_be_read_is_refused(tmp_path):
    missing = tmp_path / "x.toml"
    assert refusal(["-c", str(missing)]) == (
        f"--config (flag): cannot read {missing}: No such file or directory"
    )
    assert refusal([], {"KMS_CONFIG": str(tmp_path)}) == (
        f"--config (environment KMS_CONFIG): cannot read {tmp_path}: Is a directory"
    )
