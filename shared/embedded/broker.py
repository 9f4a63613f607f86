"""The embedded broker: librdkafka's mock cluster in a process of its own.

    python -m shared.embedded.broker LIBRARY FOLDER

It makes the topics of FOLDER/kafka.topics.json (name: partitions), writes FOLDER/kafka.json and
serves until SIGTERM; on SIGHUP it reads the topics again. Standard library only: it starts fast.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A group's first members wait this long for more; the mock's default is 3 s.
REBALANCE_DELAY_MS = 50
FORGOTTEN_PAUSE = 0.5  # seconds


class Cluster:
    """librdkafka's mock cluster: one broker on 127.0.0.1, at a port of its own choice."""

    def __init__(self, library: str) -> None:
        self._rd = ctypes.CDLL(library)
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self._rd, name).restype = ctypes.c_void_p
        self._rd.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        self._rd.rd_kafka_err2str.restype = ctypes.c_char_p
        cluster = self._rd.rd_kafka_mock_cluster_new(self._client(), 1)
        if not cluster:
            raise SystemExit("librdkafka makes no mock cluster")
        self._cluster = ctypes.c_void_p(cluster)
        self._rd.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, REBALANCE_DELAY_MS)
        self.bootstrap = self._rd.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self.topics: dict[str, int] = {}
        self.refused: dict[str, str] = {}

    def _client(self) -> ctypes.c_void_p:
        words = ctypes.create_string_buffer(512)
        settings = ctypes.c_void_p(self._rd.rd_kafka_conf_new())
        # Errors only: it would warn that this client, which is never used, knows no broker.
        self._rd.rd_kafka_conf_set(settings, b"log_level", b"3", words, len(words))
        client = self._rd.rd_kafka_new(0, settings, words, ctypes.c_size_t(len(words)))
        if not client:
            raise SystemExit(f"librdkafka: {words.value.decode()}")
        return ctypes.c_void_p(client)

    def create(self, topics: dict[str, int]) -> None:
        """Make the topics that are not there yet; note those that librdkafka refuses."""
        self.refused = {}
        with knocking(self.bootstrap):
            for name in topics.keys() - self.topics.keys():
                fault = self._rd.rd_kafka_mock_topic_create(
                    self._cluster, name.encode(), ctypes.c_int(topics[name]), ctypes.c_int(1)
                )
                if fault:
                    self.refused[name] = self._rd.rd_kafka_err2str(fault).decode()
                else:
                    self.topics[name] = topics[name]


@contextmanager
def knocking(bootstrap: str) -> Iterator[None]:
    """Connect to the broker every few milliseconds.

    The mock loses the wake-up of a request in about 1 of 100 and then sleeps for a second; a
    connection wakes it.
    """
    host, port = bootstrap.rsplit(":", 1)
    done = threading.Event()

    def knock() -> None:
        while not done.wait(0.005):
            with suppress(OSError):
                socket.create_connection((host, int(port)), timeout=1).close()

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def end_when_forgotten(state: Path) -> None:
    """End with the file that says where we are: nobody could find us any more, nor stop us."""
    while state.exists():
        time.sleep(FORGOTTEN_PAUSE)
    os._exit(0)


def main() -> None:
    library, folder = sys.argv[1], Path(sys.argv[2])
    # Kept open for life: of two starts that do not know of one another only one gets a broker.
    lock = (folder / "kafka.lock").open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    wanted, state = folder / "kafka.topics.json", folder / "kafka.json"
    # Before librdkafka starts its threads: they inherit the mask, so sigwait hears everything.
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    cluster = Cluster(library)
    began = {"pid": os.getpid(), "started": time.time(), "log": uuid.uuid4().hex}
    while True:
        cluster.create(json.loads(wanted.read_text(encoding="utf-8")))
        told = {**began, "bootstrap": cluster.bootstrap, "topics": cluster.topics}
        _write(state, {**told, "refused": cluster.refused})
        if threading.active_count() == 1:
            threading.Thread(target=end_when_forgotten, args=[state], daemon=True).start()
        if signal.sigwait(signals) != signal.SIGHUP:
            break
    state.unlink(missing_ok=True)
    os._exit(0)  # nothing here is worth the time of tearing it down


def _write(path: Path, content: dict[str, object]) -> None:
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(content), encoding="utf-8")
    beside.replace(path)


if __name__ == "__main__":
    main()
