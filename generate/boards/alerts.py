"""The board of alerts: whether it judges, and whether people are told."""

from typing import Final

from generate.boards import resources, rows
from generate.boards.board import Board
from generate.boards.panels import Query, Row, lines, number
from generate.boards.queries import increases, quantiles, rates
from generate.boards.service import service_board

ALERTS: Final[Board] = service_board(
    "alerts",
    "Watches each answer, finds what is wrong, and tells people.",
    [
        Row(
            "Judging",
            [
                number(
                    "Processes that judge",
                    "One does; with none no alarm is raised (EarshotNobodyJudges).",
                    [Query("sum(earshot_alerts_judge_elected{$here})")],
                    least=1,
                ),
                number(
                    "Processes that are outdated",
                    "A newer version has judged; they stand down.",
                    [Query("sum(earshot_alerts_judge_outdated{$here})")],
                    limit=1,
                ),
                number(
                    "Streams watched",
                    "By the process that judges.",
                    [Query("max(earshot_alerts_streams{$here})")],
                ),
                number(
                    "Dimensions that are full",
                    "Of more than 10,000 values the rest is watched as other.",
                    [Query("max(earshot_alerts_full_dimensions{$here})")],
                    limit=1,
                ),
                number(
                    "Streams that wait for room",
                    "They crossed; a minute opens at most ten alarms of a survey and metric.",
                    [Query("max(earshot_alerts_waiting_streams{$here})")],
                    limit=1,
                ),
                number(
                    "Alarms to be explained afresh",
                    "They grew by a quarter and are looked at in turn.",
                    [Query("max(earshot_alerts_looks_due{$here})")],
                ),
                lines(
                    "How much evidence comes?",
                    "Answers a second by metric, and those that are none: late, too late, repeats,"
                    " of maintenance windows.",
                    [
                        rates("earshot_alerts_answers_total{$here}", "metric"),
                        rates("earshot_alerts_late_answers_total{$here}", "job", "late"),
                        rates("earshot_alerts_too_late_answers_total{$here}", "job", "too late"),
                        rates("earshot_alerts_repeats_total{$here}", "job", "repeats"),
                        rates(
                            "earshot_alerts_maintenance_answers_total{$here}", "job", "maintenance"
                        ),
                    ],
                    unit="cps",
                ),
                lines(
                    "How long does a turn of the judge take?",
                    "Below 5 s is normal; an alarm comes as much later.",
                    quantiles("earshot_alerts_judge_turn_seconds{$here}"),
                    unit="s",
                    limit=5,
                ),
                lines(
                    "How far is what is judged behind the clock?",
                    "In event time; it grows too where nobody answers.",
                    [
                        Query(
                            "min(time() - (earshot_alerts_judged_to_timestamp_seconds{$here} > 0))",
                            "judged to",
                        )
                    ],
                    unit="s",
                ),
            ],
        ),
        Row(
            "Telling",
            [
                lines(
                    "How many alarms are raised?",
                    "In an hour, by severity; historic: found long after they began.",
                    [
                        increases(
                            "earshot_alerts_raised_total{$here}",
                            "1h",
                            "severity, historic",
                            "{{severity}}, historic: {{historic}}",
                        )
                    ],
                    quiet="no alarm was raised.",
                ),
                lines(
                    "How do tries to tell end?",
                    "A second, by destination and outcome; dead: GET /v1/destinations says why.",
                    [rates("earshot_alerts_deliveries_total{$here}", "destination, outcome")],
                    unit="cps",
                    quiet="there was nothing to tell.",
                ),
                lines(
                    "How long does a try take?",
                    "By destination, whatever came of it.",
                    quantiles("earshot_alerts_delivery_seconds{$here}", "destination"),
                    unit="s",
                    quiet="there was nothing to tell.",
                ),
                lines(
                    "Which destinations are disabled?",
                    "1: it said that it is gone, and what is for it waits.",
                    [
                        Query(
                            "max by (destination) (earshot_alerts_destination_disabled{$here})",
                            "{{destination}}",
                        )
                    ],
                    limit=1,
                ),
                lines(
                    "What was given up?",
                    "Messages for a destination, until somebody retries or drops them.",
                    [
                        Query(
                            "max by (destination) (earshot_alerts_dead_letters{$here})",
                            "{{destination}}",
                        )
                    ],
                    limit=1,
                ),
                lines(
                    "How many changes are published?",
                    "Records written to detractor-alerts, a second.",
                    [rates("earshot_alerts_published_total{$here}", "job", "published")],
                    unit="cps",
                ),
            ],
        ),
    ],
    [rows.reading(), resources.database()],
)
