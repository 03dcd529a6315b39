"""What an operator sees of a running site: metrics, traces and logs, of two workers, and nobody's words."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from prometheus_client.parser import text_string_to_metric_families

from mcpsite.core import metrics
from mcpsite.core.tracing import summary
from tests.collector import Collector, attributes, collecting
from tests.site import LEGACY, ROOT, Site, running

METRICS_TOKEN = "a-token-for-the-scraper-alone"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CANARY = "Canary7Wharf"
"""In every text that a caller sends, and in no place where an operator looks."""


@dataclass(kw_only=True)
class Watched:
    """A site of two workers, with its collector and an administrator's token."""

    site: Site
    collector: Collector
    token: str

    def scrape(self, token: str = METRICS_TOKEN) -> httpx2.Response:
        return httpx2.get(f"{self.site.origin}/metrics", headers={"Authorization": f"Bearer {token}"})

    def values(self) -> dict[tuple[str, ...], float]:
        """The samples by name and, in their order, the values of their labels."""
        text = self.scrape().raise_for_status().text
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def call(self, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        params = {"name": name, "arguments": arguments or {}}
        return self.site.rpc(self.token, "tools/call", params, **more)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.site.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with collecting() as collector:
        settings = {
            "DJANGO_SETTINGS_MODULE": "tests.access.probes.settings",
            "METRICS_TOKEN": METRICS_TOKEN,
            "LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        with running(settings, workers=2) as site:
            yield Watched(site=site, collector=collector, token=site.token())


def test_metrics_are_for_who_brings_the_token(watched: Watched) -> None:
    assert watched.scrape().status_code == 200
    assert watched.scrape("some-other-token-of-twenty").status_code == 401
    assert httpx2.get(f"{watched.site.origin}/metrics").status_code == 401


def test_without_a_token_for_them_there_are_no_metrics(site: Site) -> None:
    answer = httpx2.get(f"{site.origin}/metrics", headers={"Authorization": "Bearer"})
    assert answer.status_code == 404


def test_calls_are_counted_by_tool_and_outcome_over_all_workers(watched: Watched) -> None:
    before = watched.values()
    for _ in range(8):
        assert watched.call("probe_count", {"count": 2}).status_code == 200
    watched.call("probe_complain")
    watched.call("probe_crash")
    after = watched.values()

    def more(name: str, *labels: str) -> float:
        sample = (name, *sorted(labels))
        return after.get(sample, 0) - before.get(sample, 0)

    assert more("mcpsite_calls_total", "probe_count", "ok") == 8
    assert more("mcpsite_call_seconds_count", "probe_count") == 8
    assert more("mcpsite_answer_rows_total", "probe_count") == 16
    assert more("mcpsite_calls_total", "probe_complain", "tool error") == 1
    assert more("mcpsite_calls_total", "probe_crash", "failed") == 1
    assert more("mcpsite_http_responses_total", "mcp", "200") == 10
    assert more("mcpsite_queue_seconds_count") == 10
    assert after["mcpsite_workers",] == 2


def test_refused_tokens_are_counted_by_reason(watched: Watched) -> None:
    before = watched.values()
    watched.site.rpc(None, "tools/list")
    watched.site.rpc(watched.token[:-8], "tools/list")
    after = watched.values()
    for reason in ("missing", "signature"):
        sample = ("mcpsite_tokens_refused_total", reason)
        assert after[sample] - before.get(sample, 0) == 1


def test_tools_that_do_not_exist_are_counted_together(watched: Watched) -> None:
    for number in range(3):
        watched.call(f"no_such_tool_{number}")
    assert watched.values()["mcpsite_calls_total", "denied", "unknown tools"] >= 3
    assert "no_such_tool" not in watched.scrape().text


@pytest.mark.parametrize("in_meta", [True, False], ids=["in _meta", "in a header"])
def test_a_call_continues_its_clients_trace_down_to_the_statements(watched: Watched, in_meta: bool) -> None:
    trace = f"{TRACE[:-1]}{int(in_meta)}"
    parent = f"00-{trace}-{PARENT}-01"
    params: dict[str, Any] = {"name": "airfare_trend_insights", "arguments": {"route_contains": "JFK-LAX"}}
    if in_meta:
        headers, body = watched.site._request(watched.token, "tools/call", params, "2026-07-28")
        message = json.loads(body)
        message["params"]["_meta"]["traceparent"] = parent
        httpx2.post(watched.site.url, json=message, headers=headers, timeout=60).raise_for_status()
    else:
        more = {"traceparent": parent}
        watched.site.rpc(watched.token, "tools/call", params, era=LEGACY, more=more).raise_for_status()

    span = watched.collector.wait_for(
        lambda span: span.trace_id.hex() == trace and span.name == "tools/call airfare_trend_insights"
    )
    assert span.parent_span_id.hex() == PARENT
    found = attributes(span)
    assert span.status.code != Status.STATUS_CODE_ERROR
    assert found["gen_ai.tool.name"] == "airfare_trend_insights"
    assert found["mcpsite.outcome"] == "ok"
    assert found["mcpsite.rows"] > 0
    statements = watched.collector.below(span)
    assert {each.trace_id for each in statements} == {span.trace_id}
    assert any(each.name.startswith("SELECT") for each in statements)


def test_a_log_line_is_json_with_the_reference_that_the_caller_saw_and_the_trace(watched: Watched) -> None:
    answer = watched.call("probe_crash", {}).json()["result"]["content"][0]["text"]
    reference = re.search(r"Reference ([0-9a-f-]{36})", answer)
    assert reference is not None
    (line,) = [line for line in watched.log() if line.get("reference") == reference[1]]
    assert line["level"] == "ERROR"
    assert "'probe_crash' failed" in line["message"]
    span = watched.collector.wait_for(
        lambda span: span.trace_id.hex() == line["trace_id"] and span.name == "tools/call probe_crash"
    )
    assert attributes(span)["mcpsite.reference"] == reference[1]
    assert span.status.code == Status.STATUS_CODE_ERROR


def test_every_line_of_the_log_is_json(watched: Watched) -> None:
    text = watched.site.log.read_text()
    # Before it serves, `serve` tells people on its standard output what is on.
    lines = text[text.index("\n{") + 1 :].splitlines()
    assert [line for line in lines if not line.startswith("{")] == []
    assert "uvicorn.error" in {json.loads(line)["logger"] for line in lines}


def test_nothing_that_a_caller_sends_is_in_a_metric_a_span_or_the_log(watched: Watched) -> None:
    watched.call("airfare_trend_insights", {"notable_contains": CANARY})
    watched.call("airfare_trend_insights", {"snapshot_date": CANARY})
    watched.call("search", {"query": CANARY})
    watched.call("fetch", {"id": CANARY})
    watched.call("probe_count", {"count": CANARY, "password": CANARY})
    watched.call("probe_dawdle", {"seconds": CANARY})
    messages: list[tuple[str, dict[str, Any]]] = [
        ("resources/read", {"uri": f"probe://{CANARY}"}),
        ("prompts/get", {"name": "probe_prompt", "arguments": {"word": CANARY}}),
        ("prompts/get", {"name": "probe_prompt", "arguments": {"word": {CANARY: 1}}}),
        ("prompts/get", {"name": CANARY, "arguments": {}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": CANARY}, "argument": CANARY}),
        (f"tools/{CANARY}", {CANARY: 1}),
        ("tools/call", {"name": [CANARY]}),
    ]
    for method, params in messages:
        for era in ("2026-07-28", LEGACY):
            watched.site.rpc(watched.token, method, params, era=era)
    watched.site.post(watched.token, {"id": CANARY, "method": "tools/list", "params": {}})
    watched.site.rpc(f"{watched.token}{CANARY}", "tools/list")
    time.sleep(1)  # Either worker sends what it has five times a second.
    exported = b"".join(watched.collector.bodies)
    assert b"prompts/get" in exported
    assert b"tools/call other" in exported
    for place in (exported.decode("latin-1"), watched.scrape().text, watched.site.log.read_text()):
        assert CANARY not in place
        assert METRICS_TOKEN not in place
        assert watched.token[-40:] not in place


def test_a_worker_that_dies_takes_no_count_with_it(watched: Watched) -> None:
    before = watched.values()
    children = Path(f"/proc/{watched.site.process.pid}/task/{watched.site.process.pid}/children").read_text()
    worker = next(pid for pid in children.split() if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(int(worker), signal.SIGKILL)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.5)
        try:
            after = watched.values()
        except httpx2.HTTPError:  # The listener's queue was the dead one's.
            continue
        if after["mcpsite_workers",] == 2 and not Path(f"/proc/{worker}").exists():
            break
    counted = [sample for sample in before if sample[0] == "mcpsite_calls_total"]
    assert counted
    assert all(after[sample] >= before[sample] for sample in counted)
    assert after["mcpsite_workers",] == 2


def test_a_span_tells_of_a_statement_what_it_does_and_with_which_tables() -> None:
    said = 'SELECT "name" FROM "auth_user" JOIN "auth_group" ON true WHERE note = \'from secrets\''
    assert summary(said) == "SELECT auth_user auth_group"
    assert summary("PRAGMA busy_timeout") == "SQL"


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    samples = {sample for metric in metrics.registry.collect() for sample in _samples(metric)}
    dashboard = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    asked = {name for query in queries for name in re.findall(r"\bmcpsite_\w+", query)}
    assert len(queries) >= 10
    assert asked <= samples


def test_the_documentation_names_every_metric_and_no_other() -> None:
    text = (ROOT / "docs" / "watching.md").read_text()
    samples = {sample for metric in metrics.registry.collect() for sample in _samples(metric)}
    told = set(re.findall(r"`(mcpsite_\w+)", text))
    assert told <= samples
    assert {metric.name for metric in metrics.registry.collect()} <= {
        name.removesuffix("_total") for name in told
    }


def _samples(metric: Any) -> set[str]:
    """The names under which Prometheus knows a metric."""
    kinds = {"counter": ["_total"], "gauge": [""], "histogram": ["", "_bucket", "_sum", "_count"]}
    return {f"{metric.name}{ending}" for ending in kinds[metric.type]}
