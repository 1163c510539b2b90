"""Tokens in URLs are not logged, whoever logs the URL and however it is written."""

from __future__ import annotations

import logging
import time

import pytest

from kms_tornado.redaction import mask_logs, mask_tokens

from .rows import each_row

S = "s3cr3t-t0k3n-value"


@each_row(
    ("text", "shown"),
    [
        pytest.param(f"GET /x?access_token={S} (1.2.3.4)", "GET /x?access_token=[token] (1.2.3.4)", id="RFC 6750"),
        pytest.param(f"/x?a=1&access_token={S}&b=2", "/x?a=1&access_token=[token]&b=2", id="among others"),
        pytest.param(f"/x?token={S}&id_token={S}", "/x?token=[token]&id_token=[token]", id="two"),
        pytest.param(f"/x?token={S}&access_token=", "/x?token=[token]&access_token=", id="one empty"),
        pytest.param(f"/x?ACCESS_TOKEN={S}", "/x?ACCESS_TOKEN=[token]", id="capitals"),
        pytest.param(f"/x?access-token={S}&X.Access.Token={S}", "/x?access-token=[token]&X.Access.Token=[token]", id="other separators"),
        pytest.param(f"/x?a=b;token={S}", "/x?a=b;token=[token]", id="semicolon"),
        pytest.param(f"/x#access_token={S}", "/x#access_token=[token]", id="fragment"),
        pytest.param(f"/x??token={S}", "/x??token=[token]", id="two question marks"),
        pytest.param(f"/x?access%5Ftoken={S}", "/x?access%5Ftoken=[token]", id="encoded underscore"),
        pytest.param(f"/x?%61ccess_token={S}", "/x?%61ccess_token=[token]", id="encoded letter"),
        pytest.param(f"/x?access_token%3D{S}", "/x?access_token%3D[token]", id="encoded equals sign"),
        pytest.param(f"/x?access_token={S}%26a;b=c", "/x?access_token=[token]", id="value with separators"),
        pytest.param(f"/login?next=%2Fx%3Faccess_token%3D{S}%26a%3D1&b=2", "/login?next=%2Fx%3Faccess_token%3D[token]%26a%3D1&b=2", id="in a URL in a URL"),
        pytest.param(f"/login?next=%252Fx%253Faccess_token%253D{S}", "/login?next=%252Fx%253Faccess_token%253D[token]", id="quoted twice"),
        pytest.param(f"HTTPServerRequest(uri='/x?token={S}', version='HTTP/1.1')", "HTTPServerRequest(uri='/x?token=[token]', version='HTTP/1.1')", id="repr"),
        pytest.param(f"(uri=\"/x?token={S}'a\", version='HTTP/1.1')", "(uri=\"/x?token=[token]\", version='HTTP/1.1')", id="repr with a quote in the value"),
        pytest.param(f"/x?jwt={S}&client_assertion={S}&assertion={S}", "/x?jwt=[token]&client_assertion=[token]&assertion=[token]", id="assertions"),
    ],
)  # fmt: skip
def test_parameter_that_carries_a_token_is_masked(text: str, shown: str) -> None:
    assert mask_tokens(text) == shown


@each_row(
    "text",
    [
        "200 GET /orders?page_token=CAUQAA&limit=10 (127.0.0.1) 1.00ms",
        "/x?tokens=3&tokenized=yes&a=token",
        "uid=9ae1afe8-c600-4e97-b40e-fd7055f6a8fa rights=get",
        "access_token",
        "token = 3",
        "/x?access_token",
    ],
)
def test_what_carries_none_stays(text: str) -> None:
    assert mask_tokens(text) == text


@each_row(
    "text",
    ["?a" * 200_000, "?" * 300_000 + "=", "?a=" * 100_000, "%253f" * 60_000 + "=", "?" + "a" * 300_000 + "=",
     "?token=" * 50_000, "%3ftoken%3d" * 30_000, "?token=" + "')" * 100_000, "%25" * 100_000 + "3d="],
    ids=["names", "question marks", "parameters", "encoded", "long name", "tokens", "encoded tokens", "quotes", "percent"],
)  # fmt: skip
def test_masking_takes_time_in_proportion_to_the_text(text: str) -> None:
    began = time.perf_counter()
    mask_tokens(text)
    assert time.perf_counter() - began < 5.0


def test_masking_logs_twice_adds_no_second_filter() -> None:
    logger = logging.getLogger("tornado.access")
    mask_logs()
    filters = list(logger.filters)
    mask_logs()
    assert logger.filters == filters


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("%d %s", (200, f"/x?token={S}"), "200 /x?token=[token]"),
        ("100%% of %s", (f"/x?token={S}",), "100% of /x?token=[token]"),
        (f"/x?token={S}%20", (), "/x?token=[token]"),
        ("%s", ({"uri": f"/x?token={S}"},), "{'uri': '/x?token=[token]'}"),
        ("Malformed HTTP message from %s: %s", ("1.2.3.4", f"Invalid header value '{S}'"),
         "Malformed HTTP message from 1.2.3.4: Invalid header value "),
        ("%d of %d", (1, 2), "1 of 2"),
    ],
)  # fmt: skip
def test_record_is_masked_with_its_arguments(
    message: str, args: tuple[object, ...], shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    mask_logs()
    logging.getLogger("tornado.general").warning(message, *args)
    assert caplog.records[-1].getMessage() == shown


def test_traceback_is_masked_and_stays_where_it_has_no_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mask_logs()
    for url in (f"/x?access_token={S}", "/x?page=2"):
        try:
            raise ValueError(f"cannot open {url}")
        except ValueError:
            logging.getLogger("tornado.application").exception("it failed")
    assert S not in caplog.text
    assert "ValueError: cannot open /x?access_token=[token]" in caplog.text
    assert "ValueError: cannot open /x?page=2" in caplog.text
