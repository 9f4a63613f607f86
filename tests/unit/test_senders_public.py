"""Addresses from data reach the public internet alone; the operator may name any."""

import ast
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from shared.senders.public import NotPublic, PublicOnly, is_public, resolve
from shared.senders.webhook import open_client
from tests.support.receivers import open_receiver

ROOT = Path(__file__).resolve().parents[2]

# Each place that opens a connection, and who says where to. None of them takes an address from an
# event, an answer, a body or a table. One that would opens its client with `only_public`.
PLACES = {
    "services/alerts/app/__init__.py": "alerts.yaml; EARSHOT_ALERTS_SLACK_URL",
    "services/commands/client.py": "EARSHOT_INGEST_URL and its like",
    "services/ingest/pages/optouts.py": "EARSHOT_TRIGGER_URL",
    "services/trigger/app/core.py": "EARSHOT_WEBHOOK_URL",
    "shared/db.py": "EARSHOT_DATABASE_URL",
    "shared/embedded/broker.py": "loopback",
    "shared/embedded/kafka.py": "loopback",
    "shared/embedded/readiness.py": "loopback",
    "shared/senders/smtp.py": "EARSHOT_SMTP_URL",
    "shared/senders/webhook.py": "who opens it, above",
    "shared/traces.py": "EARSHOT_TRACES_URL",
}
OPENERS = {
    "AsyncClient", "Client", "AsyncHTTPTransport", "HTTPTransport", "urlopen", "create_connection",
    "open_connection", "SMTP", "OTLPSpanExporter", "HTTPConnection", "HTTPSConnection",
}  # fmt: skip
WHOLE = {"asyncpg.connect", "httpx.get", "httpx.post", "httpx.request", "httpx.stream"}
LITERALS = [
    "127.0.0.1", "127.1", "fec0::1",
    "localhost", "2130706433", "0x7f000001", "0177.1", "0x7f.1", "0.0.0.0", "::1",
    "::", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "fd00::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe",
]  # fmt: skip


class Inner(httpx.AsyncBaseTransport):
    """Notes what would be sent; the addresses in `deaf` take no connection."""

    def __init__(self, *deaf: str, reply: httpx.Response | None = None) -> None:
        self.asked: list[httpx.Request] = []
        self._deaf = deaf
        self._reply = reply or httpx.Response(204)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in self._deaf:
            raise httpx.ConnectError("nobody there")
        self.asked.append(request)
        return self._reply


def client(inner: Inner, *answers: Sequence[str]) -> httpx.AsyncClient:
    """Of a name whose server answers so, in turn."""
    left = list(answers)

    async def look_up(host: str, port: int) -> Sequence[str]:
        return left.pop(0)

    return httpx.AsyncClient(transport=PublicOnly(inner, look_up))


@pytest.mark.parametrize("host", LITERALS)
async def test_what_is_not_public_is_refused_in_whichever_form(host: str) -> None:
    inner = Inner()
    at = f"[{host}]" if ":" in host else host
    async with httpx.AsyncClient(transport=PublicOnly(inner)) as ours:
        with pytest.raises(NotPublic):
            await ours.post(f"http://{at}:8080/hook", content=b"{}")

    assert inner.asked == []


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "::ffff:8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"]
)
def test_what_is_public_is_reached(address: str) -> None:
    assert is_public(address)


async def test_the_address_that_was_looked_at_is_the_one_that_is_used() -> None:
    """A name's server that answers otherwise a moment later is not asked again."""
    inner = Inner()
    async with client(inner, ["1.1.1.1"], ["127.0.0.1"]) as ours:
        await ours.post("https://hooks.example/a?b=c", content=b"{}")

    (request,) = inner.asked
    assert str(request.url) == "https://1.1.1.1/a?b=c"
    assert request.headers["host"] == "hooks.example"
    assert request.extensions["sni_hostname"] == "hooks.example"


async def test_a_name_of_which_one_address_is_not_public_is_refused() -> None:
    inner = Inner()
    async with client(inner, ["1.1.1.1", "10.0.0.1"], []) as ours:
        for _ in range(2):
            with pytest.raises(NotPublic):
                await ours.get("https://hooks.example/")

    assert inner.asked == []


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    inner = Inner("2606:4700::1111")
    async with client(inner, ["2606:4700::1111", "1.1.1.1"]) as ours:
        await ours.get("http://hooks.example:8080/")

    assert [str(request.url) for request in inner.asked] == ["http://1.1.1.1:8080/"]


async def test_a_name_that_is_none_is_a_fault_of_the_connection() -> None:
    with pytest.raises(httpx.ConnectError, match="not known"):
        await resolve("no such name", 80)


async def test_the_operators_address_may_be_on_loopback_and_one_from_data_may_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And neither asks a proxy of the environment, nor follows a redirect."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with open_receiver(302, 302) as receiver:
        async with open_client() as operators:
            reply = await operators.post(receiver.url, content=b"{}")
        async with open_client(only_public=True) as ours:
            with pytest.raises(NotPublic):
                await ours.post(receiver.url, content=b"{}")

    assert reply.status_code == 302
    assert len(receiver.got) == 1


def test_nobody_opens_a_connection_to_where_data_says() -> None:
    """By hand: who adds a place says here where its address comes from."""
    paths = [path for name in ("services", "shared") for path in (ROOT / name).rglob("*.py")]

    found = {path.relative_to(ROOT).as_posix() for path in paths if opens(path.read_text())}

    assert sorted(found) == sorted(PLACES)


def opens(text: str) -> bool:
    """Whether the module makes a client, or opens that of the webhooks."""
    if not any(word in text for word in (*OPENERS, *WHOLE, "open_client")):
        return False
    tree = ast.parse(text)
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    webhooks = "from shared.senders.webhook import" in text and "open_client" in calls
    own = [call for call in calls if call.rpartition(".")[2] in OPENERS or call in WHOLE]
    # the class of this project that calls Earshot itself, not the library's
    return webhooks or bool(set(own) - {"Client"})
