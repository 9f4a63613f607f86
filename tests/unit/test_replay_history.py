import gzip
from pathlib import Path

import pytest

from services.commands.history import BadFile, read_events, read_responses, told

HEAD = (
    "response_id,customer_id,occurred_at,touchpoint,metric,scale_max,score,comment,language,state"
)


def responses(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "responses.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join([HEAD, *lines, ""]))
    return path


def test_a_row_becomes_the_body_of_a_response(tmp_path: Path) -> None:
    path = responses(tmp_path, "r-1,c-1,2018-01-01T00:00:00Z,delivery,csat,5,4,gut,pt,SP")

    ((_, body),) = read_responses(path, ["state"]).bodies

    assert body == {
        "id": "r-1",
        "customer_id": "c-1",
        "metric": "csat",
        "scale_max": 5,
        "answered_at": "2018-01-01T00:00:00Z",
        "touchpoint": "delivery",
        "language": "pt",
        "segments": {"state": "SP"},
        "answers": {"score": 4, "comment": "gut"},
    }


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("r-1,,,x,nps,10,4,,,", "occurred_at is empty"),
        ("r-1,,2018-01-01T00:00:00Z,x,nps,10,,,,", "score is empty"),
        ("r-1,,2018-01-01T00:00:00,x,nps,10,4,,,", "no offset"),
        ("r-1,,01.02.2018,x,nps,10,4,,,", "no RFC 3339"),
        ("r-1,,2018-01-01T00:00:00Z,x,nps,10,4.5,,,", "no whole number"),
        ("r-1,,2018-01-01T00:00:00Z,x,nps,10,good,,,", "no number"),
    ],
)
def test_a_row_without_time_or_score_is_reported_by_line(
    tmp_path: Path, row: str, why: str
) -> None:
    good = "r-2,,2018-01-01T00:00:00Z,x,nps,10,4,,,"

    history = read_responses(responses(tmp_path, good, row), [])

    assert len(history.bodies) == 1
    assert [skipped.line for skipped in history.skipped] == [3]
    assert why in history.skipped[0].why


def test_rows_skipped_alike_are_told_as_one_run(tmp_path: Path) -> None:
    bad = "r-1,,,x,nps,10,4,,,"
    good = "r-2,,2018-01-01T00:00:00Z,x,nps,10,4,,,"

    history = read_responses(responses(tmp_path, bad, bad, good, bad), [])

    why = "skipped, occurred_at is empty"
    assert list(told(history.skipped)) == [f"lines 2-3: {why}", f"line 5: {why}"]


def test_rows_are_played_in_the_order_of_time(tmp_path: Path) -> None:
    late = "late,,2018-02-01T00:00:00Z,x,nps,10,4,,,"
    early = "early,,2018-01-31T23:30:00-01:00,x,nps,10,4,,,"
    earliest = "earliest,,2018-01-01T00:00:00Z,x,nps,10,4,,,"

    history = read_responses(responses(tmp_path, early, late, earliest), [])

    assert [body["id"] for _, body in history.bodies] == ["earliest", "late", "early"]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="country"):
        read_responses(responses(tmp_path), ["country"])


def test_an_event_row_becomes_a_cloudevent(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "event_id,type,occurred_at,customer_id,amount,currency,order_id,state\n"
        "e-1,transaction.purchase,2018-01-01T00:00:00Z,c-1,59.90,BRL,o-1,SP\n"
    )

    ((_, body),) = read_events(path, ["state"]).bodies

    assert body["id"] == "e-1"
    assert body["data"] == {
        "customer": {"id": "c-1"},
        "transaction": {"id": "o-1", "amount": 59.9, "currency": "BRL"},
        "segments": {"state": "SP"},
    }
