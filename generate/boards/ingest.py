"""The board of ingest: what it takes and what it refuses."""

from typing import Final

from generate.boards.board import Board
from generate.boards.panels import Row, lines
from generate.boards.queries import increases, rates
from generate.boards.service import service_board

INGEST: Final[Board] = service_board(
    "ingest",
    "Takes answers and events, shows survey pages, writes all to Kafka.",
    [
        Row(
            "Answers and events",
            [
                lines(
                    "How many answers are taken?",
                    "A second, that every in-sync replica has; by metric, invited or not.",
                    [
                        rates(
                            "earshot_ingest_answers_total{$here}",
                            "metric, invited",
                            "{{metric}}, invited: {{invited}}",
                        )
                    ],
                    unit="cps",
                ),
                lines(
                    "How many events are taken?",
                    "A second, by topic. Sources that write to Kafka themselves are not seen here.",
                    [rates("earshot_ingest_events_total{$here}", "topic")],
                    unit="cps",
                ),
                lines(
                    "What is refused?",
                    "A second, by status. 422: it breaks the contract, the reply says how; 503:"
                    " Kafka did not take it, and the sender is asked to try again.",
                    [rates("earshot_ingest_refused_total{$here}", "status")],
                    unit="cps",
                ),
                lines(
                    "Do opt-outs arrive?",
                    "In a quarter of an hour. Queued: trigger was away, it hears of them by Kafka.",
                    [
                        increases(
                            "earshot_ingest_optouts_total{$here}", "15m", "outcome", "{{outcome}}"
                        )
                    ],
                    quiet="nobody opted out.",
                ),
            ],
        )
    ],
    [],
)
