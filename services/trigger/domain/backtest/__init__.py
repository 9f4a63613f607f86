"""What would have been decided: the events of the last days, decided again by another programme.

Everything that decides is what decides live: `decide_question`, `ready`, `merge` and the memory.
Here is only what puts the kept facts before it, in the order of the ledger.
"""

from services.trigger.domain.backtest.effect import Effect, Row, Slip, rows_of
from services.trigger.domain.backtest.entries import (
    Batch,
    Before,
    Entry,
    Fate,
    Given,
    Known,
    Record,
    Refusal,
    Word,
)
from services.trigger.domain.backtest.outcomes import Outcome, Prepared
from services.trigger.domain.backtest.replay import Replay
from services.trigger.domain.backtest.standins import stand_in

__all__ = [
    "Batch",
    "Before",
    "Effect",
    "Entry",
    "Fate",
    "Given",
    "Known",
    "Outcome",
    "Prepared",
    "Record",
    "Refusal",
    "Replay",
    "Row",
    "Slip",
    "Word",
    "rows_of",
    "stand_in",
]
