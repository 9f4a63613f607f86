"""The Prometheus operator scrapes each pod under the labels that the rules ask for."""

import re

import pytest
import yaml

from tests.support.manifests import SERVICES, Manifest, container, one, prod
from tests.support.tools import ROOT

pytestmark = pytest.mark.tools
__all__ = ["prod"]

PROMETHEUS = ROOT / "deploy" / "prometheus"


def test_the_rules_are_those_of_prometheus(prod: list[Manifest]) -> None:
    delivered = one(prod, "PrometheusRule", "earshot")["spec"]["groups"]
    files = sorted((PROMETHEUS / "rules").glob("*.yaml"))
    written = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]

    assert delivered == written, "make generate"


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_is_scraped_under_the_labels_that_the_rules_know(
    prod: list[Manifest], name: str
) -> None:
    spec = one(prod, "PodMonitor", "earshot")["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    (selected,) = spec["selector"]["matchExpressions"]
    pod = one(prod, "Deployment", f"earshot-{name}")["spec"]["template"]["metadata"]["labels"]
    job, service = endpoint["relabelings"]
    (scraped,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]

    assert selected["key"] == "app.kubernetes.io/name"
    assert pod["app.kubernetes.io/name"] in selected["values"]
    assert endpoint["path"] == "/metrics"
    ports = container(prod, "Deployment", name)["ports"]
    assert endpoint["port"] in {port["name"] for port in ports}
    assert job == {"targetLabel": "job", "replacement": scraped["job_name"]}
    label = service["sourceLabels"][0].removeprefix("__meta_kubernetes_pod_label_")
    value = pod[label.replace("app_kubernetes_io_", "app.kubernetes.io/")]
    named = re.fullmatch(service["regex"], value)
    assert named is not None
    assert (service["targetLabel"], named[1]) == ("service", name)
    assert name in {target["labels"]["service"] for target in scraped["static_configs"]}
