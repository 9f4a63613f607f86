"""What every reply says to a browser, how often one may come, and what may be looked up."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from services.ingest.api import BATCH_LIMIT
from services.ingest.app import BATCHES
from shared.keys import KeyFile
from shared.web import door
from shared.web.door import Door
from shared.web.rates import Rates
from tests.support.four import Served, four_services, routes_of, write_keys
from tests.support.ingest import Rig, survey_token
from tests.support.web import build

JSON: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
ANSWER: Final = {"id": "r-1", "survey": "post-call", "answers": {"score": 2}}
SERVICES: Final = ("ingest", "scoring", "trigger", "alerts")

on_module = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Served]]:
    async with four_services(database_url, tmp_path_factory.mktemp("var")) as services:
        yield services


def protected(reply: httpx.Response) -> None:
    said = {name: reply.headers.get(name) for name in JSON}
    if reply.headers.get("content-type", "").startswith("text/html"):
        policy = said.pop("content-security-policy") or ""
        assert policy.startswith("default-src 'none'; style-src '")
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "http" not in policy
        assert said == {name: JSON[name] for name in said}
    else:
        assert said == JSON, (reply.request.url, reply.status_code)
    assert len(reply.headers.get_list("cache-control")) == 1
    assert "access-control-allow-origin" not in reply.headers


@on_module
@pytest.mark.parametrize("service", SERVICES)
async def test_every_reply_of_every_route_has_the_headers(
    services: dict[str, Served], service: str
) -> None:
    served = services[service]
    async with served.client(origin="https://elsewhere.example") as client:
        for method, path in routes_of(served.app):
            if path != "/v1/stream":
                protected(await client.request(method, path.replace("{token}", survey_token())))
            protected(await client.request("PATCH", path))
            protected(await client.options(path))
        protected(await client.get("/nowhere"))
        protected(await client.get("/v1/stream?metric=none"))


async def test_a_bug_and_a_body_that_is_too_large_have_them_too() -> None:
    client = build()

    protected(await client.get("/v1/faults/bug"))
    protected(await client.post("/v1/echo", content=b"a" * 70_000))


async def test_transport_security_is_asked_for_where_customers_come_by_https() -> None:
    for url, expected in (("https://survey.example/x", "max-age=31536000"), ("", None)):
        async with Rig(settings={"public_url": url}).client() as client:
            replies = [
                await client.post("/v1/responses", json=ANSWER),
                await client.post("/v1/responses/batch", json=[ANSWER]),
                await client.get(f"/s/{survey_token()}"),
                await client.get("/nowhere"),
            ]
        said = [reply.headers.get_list("strict-transport-security") for reply in replies]
        assert said == [[expected] if expected else []] * 4


@on_module
@pytest.mark.parametrize("service", SERVICES)
async def test_the_documents_load_nothing_and_name_each_route(
    services: dict[str, Served], service: str
) -> None:
    async with services[service].client() as client:
        page = await client.get("/docs")
        document = (await client.get("/openapi.json")).json()

    assert "src=" not in page.text
    assert "<script" not in page.text
    assert "<link" not in page.text
    for path in document["paths"]:
        assert path in page.text


@pytest.mark.parametrize(
    ("keyed", "docs", "status"), [(True, None, 404), (True, True, 200), (False, False, 404)]
)
async def test_documents_are_shut_where_keys_are_asked_for(
    tmp_path: Path, keyed: bool, docs: bool | None, status: int
) -> None:
    write_keys(tmp_path / "keys", {"a": ["*"]})
    given: dict[str, Any] = {"keys_file": tmp_path / "keys"} if keyed else {}

    async with Rig(settings={**given, "docs": docs}).client() as client:
        for path in ("/docs", "/openapi.json"):
            reply = await client.get(path)
            assert reply.status_code == status
            assert status == 200 or "EARSHOT_DOCS" in reply.json()["detail"]


def few(tmp_path: Path, **settings: int) -> tuple[Rig, dict[str, str]]:
    """An ingest with keys, and buckets that hold ten."""
    found = write_keys(tmp_path / "keys", {"shop": ["responses:write"], "other": ["*"]})
    usual = {"rate_per_key": 1, "rate_per_address": 1}
    return Rig(settings={**usual, **settings, "keys_file": tmp_path / "keys"}), found


async def statuses(client: httpx.AsyncClient, times: int, path: str, **how: Any) -> list[int]:
    method = "POST" if "json" in how else "GET"
    return [(await client.request(method, path, **how)).status_code for _ in range(times)]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/batch"])
async def test_a_key_has_a_rate_of_its_own(tmp_path: Path, path: str) -> None:
    rig, keys = few(tmp_path)
    body: Any = [ANSWER] if path.endswith("batch") else ANSWER
    good = 207 if path.endswith("batch") else 202

    async with rig.client() as client:
        mine = await statuses(client, 11, path, json=body, headers={"authorization": keys["shop"]})
        other = await client.post(path, json=body, headers={"authorization": keys["other"]})
        refused = await client.post(path, json=body, headers={"authorization": keys["shop"]})
        health = await statuses(client, 30, "/healthz")

    assert mine == [good] * 10 + [429]
    assert other.status_code == good
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) >= 1
    protected(refused)
    assert health == [200] * 30


async def test_who_guesses_keys_or_links_soon_has_to_wait(tmp_path: Path) -> None:
    rig, keys = few(tmp_path, rate_per_address=10)
    web = rig.web()

    def at(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=web, client=(address, 1)), base_url="http://ingest"
        )

    guesses: list[tuple[str, dict[str, Any]]] = [
        ("/s/forged", {}),
        ("/u/forged", {}),
        ("/v1/responses", {"json": {"token": "forged", "answers": {"score": 1}}}),
        ("/v1/responses", {"json": ANSWER, "headers": {"authorization": "Bearer esk_x_y"}}),
        ("/v1/events", {"json": {}, "headers": {"authorization": "Bearer esk_x_y"}}),
    ]
    for number, (path, how) in enumerate(guesses):
        async with at(f"198.51.100.{number}") as client:
            found = await statuses(client, 12, path, **how)
            assert found.count(429) >= 5, (path, found)
            genuine = await client.get(f"/s/{survey_token()}")
            assert genuine.status_code == 429
            keyed = await client.post(
                "/v1/responses", json=ANSWER, headers={"authorization": keys["other"]}
            )
            assert keyed.status_code == 202
    async with at("203.0.113.1") as client:
        assert (await client.get(f"/s/{survey_token()}")).status_code == 200


@pytest.mark.parametrize("form", ["page", "json"])
async def test_one_link_has_a_rate_whoever_holds_it(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "A_LINK_S", 0.5)
    web = Rig().web()
    token = survey_token()
    found = []
    for number in range(8):
        transport = httpx.ASGITransport(app=web, client=(f"198.51.100.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            if form == "page":
                found.append(await client.get(f"/s/{token}"))
            else:
                body = {"token": token, "answers": {"score": 1}}
                found.append(await client.post("/v1/responses", json=body))

    assert [reply.status_code for reply in found[:5]] == [200 if form == "page" else 202] * 5
    assert found[-1].status_code == 429


async def test_garbage_without_a_key_is_counted_too(tmp_path: Path) -> None:
    rig, _ = few(tmp_path)

    async with rig.client() as client:
        found = [(await client.post("/v1/responses", content=b"{")).status_code for _ in range(12)]

    assert found == [400] * 10 + [429] * 2


async def test_without_keys_machines_are_not_limited_and_pages_are() -> None:
    async with Rig(settings={"rate_per_address": 1}).client() as client:
        assert await statuses(client, 15, "/v1/responses", json=ANSWER) == [202] * 15
        found = [
            (await client.get(f"/s/{survey_token(language=tag)}")).status_code
            for tag in ("en", "de", "ko", "th") * 3
        ]

    assert found == [200] * 10 + [429] * 2


async def test_an_address_behind_a_trusted_proxy_is_the_callers(tmp_path: Path) -> None:
    write_keys(tmp_path / "keys", {"a": ["*"]})
    for trusted, last in (("127.0.0.0/8", 401), ("", 429)):
        given = {"rate_per_address": 1, "trusted_proxies": trusted}
        async with Rig(settings={**given, "keys_file": tmp_path / "keys"}).client() as client:
            found = []
            for number in range(4):
                headers = {"x-forwarded-for": f"6.6.6.6, 198.51.100.{number}"}
                found.append((await client.post("/v1/events", headers=headers)).status_code)
        assert found[-1] == last


async def test_the_limits_stand_before_the_application(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys", {"a": ["scores:read"]})
    client = build(keys=KeyFile(tmp_path / "keys"), door=Door(keys=Rates(0.1)))
    client.headers["authorization"] = keys["a"]

    first, second = await client.get("/v1/closed"), await client.get("/v1/closed")
    page = (await client.get("/metrics")).text

    assert (first.status_code, second.status_code) == (200, 429)
    assert json.loads(second.text)["title"] == "Too Many Requests"
    assert 'earshot_http_requests_total{code="429",method="GET",route="none"} 1' in page


@on_module
@pytest.mark.parametrize("service", SERVICES)
async def test_a_body_is_bounded_whether_or_not_its_size_is_told(
    services: dict[str, Served], service: str
) -> None:
    served = services[service]

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 16_384 + 1):
            yield b" " * 16_384

    async with served.client() as client:
        for method, path in routes_of(served.app):
            if method == "GET":
                continue
            single = path not in BATCHES
            size = 65_536 if single else BATCH_LIMIT
            url = path.replace("{token}", survey_token())
            kind = (
                "application/x-www-form-urlencoded" if url.startswith("/s/") else "application/json"
            )
            if path == "/v1/events":
                kind = "application/cloudevents-batch+json"
            headers = {"content-type": kind}
            told = await client.request(method, url, headers=headers, content=b" " * (size + 1))
            untold = await client.request(method, url, headers=headers, content=chunks(size))
            if path != "/u/{token}" and method != "DELETE":
                assert (told.status_code, untold.status_code) == (413, 413), path
            else:  # its body is never read
                assert told.status_code == 413
