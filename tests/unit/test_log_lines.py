"""A log line is one line of plain JSON, whatever somebody sent."""

import io
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog

from shared import logs
from tests.support.ingest import Rig, survey_token
from tests.support.web import build

FORGED = '{"ts":"x","level":"critical","event":"forged"}'
SEPARATORS = ["\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
OBEYED = [*SEPARATORS, "\x1b[2J", "\x9b2J", "\u202e", "\u2066", "\x7f", "\0"]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    logs.configure("info")
    root, text = logging.getLogger(), io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(text)
    yield text
    handler.setStream(before)
    logs.configure("warning")


@pytest.mark.parametrize("between", OBEYED)
def test_a_value_cannot_forge_a_line_or_move_a_cursor(written: io.StringIO, between: str) -> None:
    value = f"a{between}{FORGED}"

    structlog.get_logger().warning("came", comment=value, **{f"key{between}": 1})
    logging.getLogger("elsewhere").warning("from %s", value)

    lines = written.getvalue().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["comment"] == value
    assert [json.loads(line)["level"] for line in lines] == ["warning", "warning"]
    assert all(character.isprintable() for line in lines for character in line)


def test_letters_of_any_language_stay_as_they_are(written: io.StringIO) -> None:
    structlog.get_logger().info("came", word="만족 ดี Größe")

    assert "만족 ดี Größe" in written.getvalue()


async def test_what_callers_send_forges_no_line(written: io.StringIO) -> None:
    evil = f"x\n{FORGED}"
    async with Rig().client() as client:
        bodies = [
            {"id": evil, "survey": evil, "answers": {"score": 2}},
            {
                "id": "r-1",
                "survey": "post-call",
                "segments": {"region": evil, evil: "x"},
                "answers": {"score": 2, "comment": evil},
            },
        ]
        for body in bodies:
            await client.post("/v1/responses", json=body)
        await client.get(f"/s/{survey_token()}", headers={b"accept-language": b"x\x85y"})
        await client.post("/v1/events", json={"id": evil}, headers={b"x-forwarded-for": b"1, \x85"})

    for line in written.getvalue().splitlines():
        assert json.loads(line)["event"] != "forged"


@pytest.mark.parametrize("kind", ["bug", "database"])
async def test_a_fault_names_the_route_and_never_the_path(written: io.StringIO, kind: str) -> None:
    client: httpx.AsyncClient = build()

    await client.get(f"/v1/faults/{kind}")

    (line,) = [json.loads(one) for one in written.getvalue().splitlines()]
    assert line["route"] == "/v1/faults/{kind}"
    assert f"/v1/faults/{kind}" not in written.getvalue()
