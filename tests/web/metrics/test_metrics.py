"""GET /metrics: what an operator alerts on."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.web.metrics.metrics import Metrics
from tests.docs.blocks import ROOT
from tests.issuer import Issuer, response
from tests.kmip_items import batch_item, message, uid
from tests.server import QUICK, ServerProcess, eventually, trusting


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("server")
    with ServerProcess(*trusting(issuer, "--metrics"), *QUICK, cwd=directory) as running:
        running.client.create(issuer.token(aud="kms"))  # waits for the keys
        yield running


def sample(server: ServerProcess, name: str) -> float:
    """The value of one series, 0 where it is not there yet."""
    text = server.client.get("/metrics").text
    match = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(match[1]) if match else 0.0


def test_answer_is_prometheus_text(server: ServerProcess) -> None:
    answer = server.client.get("/metrics")
    assert server.client.request("HEAD", "/metrics").status == 200
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [
        ("ok", {}),
        ("expired", {"exp": 1000}),
        ("audience", {"aud": "others"}),
        ("issuer", {"iss": "https://others.example"}),
        ("not_yet_valid", {"nbf": 99999999999}),
    ],
)
def test_each_token_check_is_counted_by_outcome(
    server: ServerProcess, issuer: Issuer, outcome: str, changes: dict[str, object]
) -> None:
    name = f'kms_auth_outcomes_total{{outcome="{outcome}"}}'
    before = sample(server, name)
    server.client.get_key(issuer.token(**{"aud": "kms", **changes}), "no-such-key")
    assert sample(server, name) == before + 1


def test_remembered_token_counts_as_a_hit(server: ServerProcess, issuer: Issuer) -> None:
    token = issuer.token(aud="kms")
    server.client.get_key(token, "no-such-key")
    before = sample(server, "kms_auth_token_cache_hits_total")
    verified = sample(server, "kms_auth_verification_seconds_count")
    server.client.get_key(token, "no-such-key")
    assert sample(server, "kms_auth_token_cache_hits_total") == before + 1
    assert sample(server, "kms_auth_verification_seconds_count") == verified


def test_operation_is_counted_by_its_result(server: ServerProcess, issuer: Issuer) -> None:
    name = 'kms_operations_total{operation="Get",result="Item_Not_Found"}'
    before = sample(server, name)
    server.client.get_key(issuer.token(aud="kms"), "no-such-key")
    assert sample(server, name) == before + 1


def test_time_of_an_operation_is_observed_under_its_name_and_that_of_a_batch_apart(
    server: ServerProcess, issuer: Issuer
) -> None:
    names = [f'kms_operation_seconds_count{{operation="{name}"}}' for name in ("Get", "batch")]
    before = [sample(server, name) for name in names]
    token = issuer.token(aud="kms")
    server.client.get_key(token, "no-such-key")
    body = message(batch_item("Get", uid("a")), batch_item("Get", uid("b")))
    server.client.post("/kmip", token=token, body=body)
    assert [sample(server, name) for name in names] == [before[0] + 1, before[1] + 1]


def test_state_of_an_issuer_s_keys_is_shown(server: ServerProcess, issuer: Issuer) -> None:
    label = f'{{issuer="{issuer.uri}"}}'
    assert sample(server, f"kms_auth_keys{label}") == 1
    assert sample(server, f"kms_auth_key_set_generation{label}") >= 1
    assert sample(server, f"kms_auth_issuer_served{label}") == 1
    assert sample(server, f"kms_auth_key_age_seconds{label}") < 60
    last = sample(server, f"kms_auth_key_last_success_timestamp_seconds{label}")
    assert abs(last - time.time()) < 60


def test_every_operation_of_a_batch_is_counted(server: ServerProcess, issuer: Issuer) -> None:
    names = [
        f'kms_operations_total{{operation="{operation}",result="{result}"}}'
        for operation, result in (("Locate", "Success"), ("Get", "Item_Not_Found"))
    ]
    before = [sample(server, name) for name in names]
    body = message(
        batch_item("Locate"), batch_item("Get", uid("no-such-key")), batch_item("Locate")
    )
    assert server.client.post("/kmip", token=issuer.token(aud="kms"), body=body).status == 200
    assert [sample(server, name) for name in names] == [before[0] + 2, before[1] + 1]


def test_failing_fetches_are_counted_while_last_good_keys_serve(
    server: ServerProcess, issuer: Issuer
) -> None:
    failed = f'kms_auth_key_fetches_total{{issuer="{issuer.uri}",result="failed"}}'
    before = sample(server, failed)
    issuer.answers[issuer.jwks_path] = response(b"{}", "500 Internal Server Error")
    try:
        deadline = time.monotonic() + 10
        while sample(server, failed) == before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert sample(server, f'kms_auth_issuer_failing{{issuer="{issuer.uri}"}}') == 1
        assert sample(server, f'kms_auth_issuer_served{{issuer="{issuer.uri}"}}') == 1
    finally:
        del issuer.answers[issuer.jwks_path]


def test_no_series_names_a_user_a_key_or_a_path(server: ServerProcess, issuer: Issuer) -> None:
    uid = server.client.create(issuer.token(aud="kms", sub="very-special-user"))
    server.client.get("/a-path-of-a-stranger")
    text = server.client.get("/metrics").text
    assert "very-special-user" not in text
    assert uid not in text
    assert "a-path-of-a-stranger" not in text


def test_made_up_methods_share_one_series(server: ServerProcess) -> None:
    for number in range(5):
        server.client.request(f"MADEUP{number}", "/health")
    text = server.client.get("/metrics").text
    assert "MADEUP" not in text
    assert 'method="other"' in text


def test_docs_have_a_row_for_each_metric_and_none_for_another(server: ServerProcess) -> None:
    text = server.client.get("/metrics").text
    served = set(re.findall(r"^# TYPE (kms_\w+) ", text, re.M))
    page = (ROOT / "docs/operating.md").read_text()
    section = page.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`kms_.*?) \|", section, re.M)
    documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(documented) == sorted(served)


def test_promtool_finds_no_fault(server: ServerProcess) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    finished = subprocess.run(
        ["promtool", "check", "metrics"],
        input=server.client.get("/metrics").text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout + finished.stderr) == (0, "")


def test_a_lag_of_the_event_loop_is_observed(server: ServerProcess) -> None:
    eventually(lambda: sample(server, "kms_event_loop_lag_seconds_count") > 1)


def test_authentication_that_checks_nothing_has_no_series() -> None:
    text = Metrics(InsecureNoAuth("admin")).render_text()
    assert b"kms_http_requests" in text
    assert b"kms_auth" not in text


def test_flood_of_scrapes_is_rendered_once_for_all_who_wait(monkeypatch):
    """Each takes milliseconds of the loop that serves keys, and no token."""
    metrics, rendered = Metrics(InsecureNoAuth("admin")), []
    monkeypatch.setattr(metrics, "render_text", lambda: rendered.append(1) or b"text")

    async def flood():
        for _ in range(3):
            assert await asyncio.gather(*[metrics.scrape() for _ in range(100)]) == [b"text"] * 100

    asyncio.run(flood())
    assert len(rendered) == 3
