"""What the judge keeps has a version: older judges stand down where it is newer than theirs."""

import json
from collections.abc import Mapping
from hashlib import sha256

from services.alerts.domain.detector import Detector
from services.alerts.domain.layout import LAYOUT
from services.alerts.domain.state import STATE_COLUMNS
from services.alerts.domain.terms import Policy
from services.alerts.domain.wobble import LAGS

# What stands in the database under each version; a version that was released stays as it is.
WRITTEN = {1: "16f35d60867d5376", 2: "65b0a099d321724a"}


def shape(record: object) -> object:
    """The names of a record, without its numbers."""
    if isinstance(record, Mapping):
        return {name: shape(value) for name, value in sorted(record.items())}
    return [shape(value) for value in record[:1]] if isinstance(record, list | tuple) else ""


def test_what_is_kept_changes_only_with_its_version() -> None:
    kept = [list(STATE_COLUMNS), shape(Detector(Policy()).to_record())]
    found = sha256(json.dumps(kept).encode()).hexdigest()[:16]
    assert WRITTEN[LAYOUT] == found, f"raise LAYOUT, and note {found} for it: older judges lose it"
    assert max(WRITTEN) == LAYOUT


def test_what_layout_1_kept_is_read_and_learned_on() -> None:
    kept = json.loads(json.dumps(Detector(Policy()).to_record()))
    of_then = {"hour": 9.0, "quarter": 8.0, "day": 7.0, "week": 6.0}
    kept["wobble"] = {"weight": of_then, "excess": of_then}

    read = Detector.from_record(kept, Policy())

    wobble = read.learned.lessons.wobble
    assert of_then.items() <= wobble.weight.items()
    assert all(drawn > 0 for drawn in wobble.learn(read.terms, overlap=1.0))
    assert set(read.to_record()["wobble"]["weight"]) == set(LAGS)
