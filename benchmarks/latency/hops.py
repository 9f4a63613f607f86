"""Where the time goes when there is little else to do: stop by stop, by the stamps of records."""

from collections.abc import Mapping

import numpy as np

from benchmarks.figures import Cell, Table
from benchmarks.latency.arrivals import Scored, Shown, counted
from benchmarks.latency.contents import answer_id, event_id
from benchmarks.latency.faults import Told
from benchmarks.latency.sending import Sent


def answer_hops(sent: Sent, scored: Mapping[str, Scored], shown: Shown) -> Table:
    """Where an answer's median goes when there is little else to do."""
    nan = float("nan")
    of = [scored.get(answer_id(number)) for number in sent.numbers]
    return hops_table(
        "answer_hops",
        "Where an answer's median goes at the smallest load",
        {
            "planned": sent.planned,
            "ingest has it": np.array([one.received_at.timestamp() if one else nan for one in of]),
            "Kafka has it: 202": sent.acked,
            "scoring has it in a transaction": np.array(
                [one.scored_at.timestamp() if one else nan for one in of]
            ),
            "Kafka has the scored answer": np.array([one.appended if one else nan for one in of]),
            "the score that is asked for has it": counted(sent, scored, shown),
        },
    )


def event_hops(sent: Sent, decided: Mapping[str, float], mails: np.ndarray) -> Table:
    """Where an event's median goes; `decided` by the event's id."""
    nan = float("nan")
    return hops_table(
        "event_hops",
        "Where an event's median goes at the smallest load",
        {
            "planned": sent.planned,
            "Kafka has it: 202": sent.acked,
            "trigger decides": np.array([decided.get(event_id(n), nan) for n in sent.numbers]),
            "its mail stands in the folder": mails,
        },
    )


def alert_hops(told: Told) -> Table:
    """Where an alert's time goes whose evidence came at once; the mean of all."""
    stops = np.array([(0.0, *each) for each in told.hops]).T
    names = ("planned", "Kafka has all answers: 207", "the judge raises it", "the receiver hears")
    title = "Where an alert's time goes at the smallest load"
    return hops_table("alert_hops", title, dict(zip(names, stops, strict=True)), usual=(0, 100))


def hops_table(
    name: str, title: str, hops: Mapping[str, np.ndarray], *, usual: tuple[float, float] = (40, 60)
) -> Table:
    """The mean of each hop over those in the `usual` percentiles of the whole way; they add up.

    `hops` are instants of each stop, in order, the first the planned one.
    """
    stops = np.array(list(hops.values()))
    whole = stops[-1] - stops[0]
    low, high = np.nanpercentile(whole, usual)
    chosen = stops[:, (whole >= low) & (whole <= high)]
    steps = np.diff(chosen, axis=0).mean(axis=1) * 1_000
    rows: list[list[Cell]] = [
        [stop, float(took)] for stop, took in zip(list(hops)[1:], steps, strict=True)
    ]
    rows.append(["all", float(steps.sum())])
    return Table(name, title, ("until", "ms"), rows)
