"""conf/alerts.yml, conf/prometheus.yml and conf/grafana.json name metrics that a real server has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from kms_tornado import errors

from ..docs.blocks import ROOT
from ..issuer import Issuer
from ..kmip_server.client import Site, serving_kmip
from ..rows import each_row
from ..server import trusting

yaml = pytest.importorskip("yaml")

CONF = ROOT / "conf"
RULES: list[dict[str, Any]] = yaml.safe_load((CONF / "alerts.yml").read_text())["groups"][0][
    "rules"
]
DASHBOARD: dict[str, Any] = json.loads((CONF / "grafana.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS = {rule["alert"]: rule["expr"] for rule in RULES}
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in PANELS
    for target in panel["targets"]
}
#: Labels that Prometheus adds, or that a histogram has, or several workers.
COMMON_LABELS = {"job", "instance", "le", "worker"}
#: What Prometheus makes itself.
OF_PROMETHEUS = {"up": set[str]()}
SECTION = re.compile(r"^## (KMS\w+)$", re.M)
PAGE = (ROOT / "docs/monitoring.md").read_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """{name of a series: its labels} of a real server; no labels where it has no sample."""
    site = Site(tmp_path_factory.mktemp("server"))
    lists = site.directory / "crl.pem"
    lists.write_bytes(site.authority.revoke())
    with (
        Issuer() as issuer,
        serving_kmip(
            site, *trusting(issuer, "--metrics"), "--kmip-clients-crl-file", str(lists)
        ) as server,
    ):
        server.client.create(issuer.token(aud="kms"))
        server.client.get("/ready")
        text = server.client.get("/metrics").text
    series: dict[str, set[str]] = dict(OF_PROMETHEUS)
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        endings = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        series.update((name + ending, set()) for ending in endings)
    for name, labels in re.findall(r"^(\w+)\{(.*)\} \S+$", text, re.M):
        series[name].update(re.findall(r'(\w+)="', labels))
    return series


def find_series(expr: str) -> dict[str, set[str]]:
    """{name: the labels that the expression selects by}."""
    found: dict[str, set[str]] = {}
    for name, selector in re.findall(r"\b((?:kms|process)_\w+|up)\b(?:\{([^}]*)\})?", expr):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
    return found


@each_row("expr", [*ALERTS.values(), *QUERIES.values()], ids=[*ALERTS, *QUERIES])
def test_every_expression_names_series_and_labels_that_exist(
    served: Mapping[str, set[str]], expr: str
) -> None:
    named = find_series(expr)
    assert named
    assert [name for name in named if name not in served] == []
    grouped = {
        label.strip() for group in re.findall(r"by \(([^)]*)\)", expr) for label in group.split(",")
    }
    has_samples = [name for name in named if served[name]]
    for name in has_samples:
        assert named[name] | grouped <= served[name] | COMMON_LABELS, name


def test_every_alert_has_a_section_of_its_own_that_it_names_and_no_section_is_about_another() -> (
    None
):
    assert SECTION.findall(PAGE) == list(ALERTS)
    for rule in RULES:
        place = f"docs/monitoring.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook"] == place
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_outcomes_that_the_page_explains_are_those_of_refused_tokens() -> None:
    reasons = {
        cls.reason
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.AuthenticationError)
    }
    section = PAGE.partition("## KMSTokensRefused\n")[2].partition("\n## ")[0]
    outcomes = set(re.findall(r"`(\w+)`", section)) - {"kms_auth_outcomes_total"}
    assert outcomes
    assert outcomes <= reasons


def test_every_alert_is_tried() -> None:
    tests = (Path(__file__).parent / "alerts_test.yml").read_text()
    assert re.findall(r'alertname="(\w+)"', tests) == list(ALERTS)


def promtool(*arguments: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    finished = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_promtool_reads_the_rules_and_the_configuration_that_names_them() -> None:
    promtool("check", "config", str(CONF / "prometheus.yml"))


def test_each_alert_fires_and_a_server_that_is_well_is_silent(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "alerts_test.yml").read_text()
    file = tmp_path / "test.yml"
    file.write_text(text.replace("rule_files: [ALERTS]", f"rule_files: [{CONF / 'alerts.yml'}]"))
    promtool("test", "rules", str(file))


def test_promtool_reads_the_dashboard_s_queries(tmp_path: Path) -> None:
    rules = [
        {
            "record": f"panel:{number}",
            "expr": expr.replace("$__rate_interval", "5m").replace("$instance", ".*"),
        }
        for number, expr in enumerate(QUERIES.values())
    ]
    assert not any("$" in rule["expr"] for rule in rules)
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))


def test_panels_have_numbers_and_places_of_their_own() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for one, other in combinations((p["gridPos"] for p in DASHBOARD["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


def test_the_dashboard_takes_any_prometheus_and_every_server() -> None:
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]
    for panel in PANELS:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'instance=~"$instance"' in target["expr"]
