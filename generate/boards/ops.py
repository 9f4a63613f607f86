"""The board of those who run Earshot: whether it is healthy, and what is behind."""

from collections.abc import Iterator
from typing import Final

from generate.boards import resources, rows
from generate.boards.board import Board
from generate.boards.panels import Panel, Query, Row, lines, number, table
from generate.boards.queries import quantiles, rates
from generate.objectives import OBJECTIVES

_FIRING: Final = 'ALERTS{alertname=~"Earshot.*", alertstate="firing"}'


def _promises() -> Iterator[Panel]:
    for objective in OBJECTIVES:
        yield lines(
            objective.question,
            f"{objective.percent:g} % are promised. The share of {objective.title}, over windows;"
            f" the dashed line is what is allowed. {objective.alert} says that it burns too fast.",
            [
                Query(f"{objective.series(window)}{{$here}}", window)
                for window in ("5m", "1h", "6h", "3d")
            ],
            unit="percentunit",
            width=6,
            limit=objective.budget,
        )


OPS: Final = Board(
    "ops",
    "Earshot: operations",
    "Is it healthy, what is behind, and what is about to go wrong?",
    [
        Row(
            "Is it healthy?",
            [
                number(
                    "Processes that answer",
                    "Scraped with success, by service; 0 pages.",
                    [Query("sum by (service) (up{$here})", "{{service}}")],
                    width=12,
                    least=1,
                ),
                number(
                    "Alarms of operations",
                    "Rules of deploy/prometheus/rules that fire, by severity.",
                    [Query(f"sum by (severity) ({_FIRING})", "{{severity}}")],
                    width=6,
                    limit=1,
                    quiet="no rule fires.",
                ),
                number(
                    "Readers that read",
                    "The share of consumers that stand in their group with Kafka and PostgreSQL.",
                    [Query("avg(earshot_consumer_reading{$here})")],
                    unit="percentunit",
                    width=6,
                    least=1,
                ),
                *_promises(),
                table(
                    "What fires?",
                    "docs/runbooks has a page for each.",
                    [Query(f"max by (alertname, severity, service, topic) ({_FIRING})", "fires")],
                    width=12,
                    labels={
                        "severity": "severity",
                        "alertname": "rule",
                        "service": "service",
                        "topic": "topic",
                    },
                    quiet="no rule fires.",
                ),
                table(
                    "What runs?",
                    "Processes by service, version and programme. Two of either are normal only"
                    " during a rollout.",
                    [
                        Query(
                            "count by (service, version, programme) (earshot_build_info{$here})",
                            "processes",
                        )
                    ],
                    width=12,
                    labels={"service": "service", "version": "version", "programme": "programme"},
                ),
            ],
        ),
        Row(
            "What is behind?",
            [
                rows.lag(),
                lines(
                    "What is due and not asked?",
                    "For how long the oldest question that is due has waited to be decided.",
                    [Query("min(earshot_trigger_due_behind_seconds{$here})", "due")],
                    unit="s",
                    limit=rows.ACCEPTABLE_LAG_S,
                ),
                lines(
                    "How old is an answer when it is in a score?",
                    "Of 100 answers 99 are younger. Over 10 s they break the promise.",
                    quantiles("earshot_scoring_answer_age_seconds{$here}"),
                    unit="s",
                    limit=10,
                ),
            ],
        ),
        Row(
            "What goes wrong?",
            [
                rows.trouble(),
                lines(
                    "Which service answers with 5xx?",
                    "A second. 503 says that Kafka or PostgreSQL is away.",
                    [
                        rates(
                            'earshot_http_requests_total{$here, code=~"5.."}',
                            "service, code",
                        )
                    ],
                    unit="reqps",
                    quiet="nothing failed.",
                ),
                lines(
                    "Who does not reach Kafka or PostgreSQL?",
                    "A second: records that Kafka did not take, connections that were not had.",
                    [
                        rates(
                            'earshot_producer_records_total{$here, outcome="failed"}',
                            "service",
                            "{{service}}: Kafka",
                        ),
                        rates(
                            "earshot_database_connection_failures_total{$here}",
                            "service",
                            "{{service}}: PostgreSQL",
                        ),
                    ],
                    unit="cps",
                ),
                lines(
                    "Who is asked for a key, and has none that is good?",
                    "Requests a second that were refused for their key, by key and reason.",
                    [rates('earshot_api_key_requests_total{$here, outcome!="ok"}', "key, outcome")],
                    unit="reqps",
                    quiet="every key was good, or none is asked for.",
                ),
                lines(
                    "When do keys end?",
                    "Days until an API key is good no more; keys without an end are not here.",
                    [
                        Query(
                            "(min by (key) (earshot_api_key_expires_timestamp_seconds{$here})"
                            " - time()) / 86400",
                            "{{key}}",
                        )
                    ],
                    unit="d",
                    least=14,
                    quiet="no key ends.",
                ),
                lines(
                    "Which destinations are not told of alarms?",
                    "Messages that were given up, until somebody retries or drops them.",
                    [
                        Query(
                            "max by (destination) (earshot_alerts_dead_letters{$here})",
                            "{{destination}}",
                        )
                    ],
                    limit=1,
                ),
            ],
        ),
        resources.running_out(),
    ],
)
