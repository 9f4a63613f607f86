"""A Kafka of several nodes of which one does not start."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.embedded.files import read_object
from shared.embedded.kraft import Node, Options, cluster, start_kraft
from shared.embedded.processes import StartFailed


def test_a_node_that_started_can_be_stopped_where_the_next_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_node(java: str, folder: Path, log: str, node: Node, _: Any) -> Node:
        if node.number == 2:
            raise StartFailed("port taken")
        return replace(node, pid=4711)

    monkeypatch.setattr(cluster, "fetch", lambda: "java")
    monkeypatch.setattr(cluster, "start_node", start_node)

    with pytest.raises(StartFailed):
        start_kraft(tmp_path / "var", Options(nodes=3))

    written = read_object(tmp_path / "var" / "kafka" / "cluster.json")
    assert written is not None
    assert [node["pid"] for node in written["nodes"]] == [4711, 0, 0]
