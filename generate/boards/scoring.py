"""The board of scoring: how fresh scores are and where bounds are met."""

from typing import Final

from generate.boards import resources, rows
from generate.boards.board import Board
from generate.boards.panels import Query, Row, lines, number
from generate.boards.queries import quantiles, rates
from generate.boards.service import service_board

SCORING: Final[Board] = service_board(
    "scoring",
    "Counts answers and says what they come to.",
    [
        Row(
            "Scores",
            [
                lines(
                    "How many answers are counted?",
                    "A second, by metric and class, amended ones too.",
                    [rates("earshot_scoring_answers_total{$here}", "metric, class")],
                    unit="cps",
                ),
                lines(
                    "How old is an answer when it is in a score?",
                    "99 of 100 within 10 s are promised. After an outage as old as that.",
                    quantiles("earshot_scoring_answer_age_seconds{$here}"),
                    unit="s",
                    limit=10,
                ),
                lines(
                    "How many records change nothing?",
                    "Repeats and truths older than the one known, a second. Many are normal after"
                    " a restart or a replay.",
                    [rates("earshot_scoring_repeats_total{$here}", "instance")],
                    unit="cps",
                ),
                lines(
                    "What answers questions for groups?",
                    "A second: columns (in memory) or the database. Mostly the database:"
                    " EARSHOT_SCORING_COLUMNS is too small, or too many ask at once.",
                    [rates("earshot_scoring_questions_total{$here}", "by")],
                    unit="cps",
                ),
                lines(
                    "How much do the columns hold?",
                    "Answers and invitations in memory, by replica.",
                    [Query("earshot_scoring_column_entries{$here}", "{{instance}}")],
                ),
                lines(
                    "How much memory do the columns take?",
                    "EARSHOT_SCORING_COLUMNS bounds it.",
                    [Query("earshot_scoring_column_bytes{$here}", "{{instance}}")],
                    unit="bytes",
                ),
            ],
        ),
        Row(
            "Bounds",
            [
                number(
                    "Named segments without a series",
                    "At most 200 segments of `gauges` are shown.",
                    [Query("max(earshot_scoring_score_segments_left_out{$here})")],
                    limit=1,
                ),
                number(
                    "Age of the scores shown",
                    "Computed every 15 s; gone after two minutes.",
                    [
                        Query(
                            "min(time() - earshot_scoring_score_computed_timestamp_seconds{$here})"
                        )
                    ],
                    unit="s",
                    limit=120,
                ),
                number(
                    "Readers of the stream",
                    "Connected to GET /v1/stream now.",
                    [Query("sum(earshot_scoring_stream_readers{$here})")],
                ),
                number(
                    "Recounts today",
                    "Once a changed programme is normal.",
                    [Query("sum(increase(earshot_scoring_recounts_total{$here}[1d]))")],
                    decimals=0,
                ),
                number(
                    "Decisions too late to count, today",
                    "They came when they were older than decisions are kept.",
                    [Query("sum(increase(earshot_scoring_decisions_too_late_total{$here}[1d]))")],
                    limit=1,
                    decimals=0,
                ),
                number(
                    "Values counted as other, today",
                    "Of dimensions with over 10,000 values.",
                    [Query("sum(increase(earshot_scoring_values_as_other_total{$here}[1d]))")],
                    limit=1,
                    decimals=0,
                    quiet="every dimension has room.",
                ),
            ],
        ),
    ],
    [rows.reading(), resources.database()],
)
