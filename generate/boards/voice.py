"""The board of what customers say: scores with their bands, who answers, what is wrong."""

from typing import Final

from generate.boards.board import Board
from generate.boards.panels import Query, Row, Variable, lines, number, table

# raw between backticks: a segment's name is full of what a regex and a string must escape
_CHOSEN: Final = 'metric="$metric", survey="$survey", window="$window", segment=~`${segment:regex}`'


def _score(name: str) -> str:
    """Replicas show the same: the greatest of equals, never a sum or a mean."""
    return f"max by (segment) (earshot_scoring_score{name}{{$here, {_CHOSEN}}})"


def _in_span(series: str, *matchers: str) -> str:
    said = ", ".join(("$here", *matchers))
    return f"sum(increase({series}{{{said}}}[$__range]))"


_SENT: Final = _in_span("earshot_trigger_sends_total", 'outcome="sent"')
_ANSWERED: Final = _in_span("earshot_ingest_answers_total", 'invited="yes"')
_SHOWN: Final = 'earshot_scoring_score_answers{job=~"$job", survey="$survey"'

VOICE: Final = Board(
    "voice",
    "Earshot: the voice of customers",
    "What customers say, how sure that is, who is asked and who answers, and what went wrong."
    " Segments are those that `gauges` in segments.yaml names; GET /v1/scores has every other.",
    [
        Row(
            "What do they say?",
            [
                table(
                    "Scores now",
                    "Each with its 95 % interval and the answers that it is made of. Never average"
                    " scores: ask for the larger segment.",
                    [
                        Query(_score(""), "score"),
                        Query(_score("_lower"), "from"),
                        Query(_score("_upper"), "to"),
                        Query(_score("_answers"), "answers"),
                    ],
                    unit="none",
                    decimals=1,
                    labels={"segment": "segment"},
                ),
                lines(
                    "How many answers are the scores made of?",
                    "In the window of the score. On few answers the band is wide.",
                    [Query(_score("_answers"), "{{segment}}")],
                    width=24,
                ),
                lines(
                    "How does $segment score?",
                    "The score within its 95 % interval. Two segments differ surely where their"
                    " bands do not meet; where they do, GET /v1/scores?against= tells.",
                    [
                        Query(_score(""), "score"),
                        Query(_score("_lower"), "from"),
                        Query(_score("_upper"), "to"),
                    ],
                    unit="none",
                    width=12,
                    decimals=1,
                    repeat="segment",
                    band=("from", "to"),
                ),
            ],
        ),
        Row(
            "Who is asked, and who answers?",
            [
                number(
                    "From event to answer",
                    "Within the time shown, as they came: decisions on events, those that ask,"
                    " invitations sent, invited answers. GET /v1/coverage follows each event.",
                    [
                        Query(_in_span("earshot_trigger_decisions_total"), "decided"),
                        Query(
                            _in_span(
                                "earshot_trigger_decisions_total",
                                'decision=~"invited|scheduled"',
                            ),
                            "to be asked",
                        ),
                        Query(_SENT, "sent"),
                        Query(_ANSWERED, "answered"),
                    ],
                    width=12,
                    decimals=0,
                ),
                number(
                    "What share of those asked answers?",
                    "Invited answers by invitations sent within the time shown; a young span has"
                    " letters on their way.",
                    [Query(f"{_ANSWERED} / ({_SENT} > 0)")],
                    unit="percentunit",
                    width=6,
                ),
                number(
                    "Answers without an invitation",
                    "Within the time shown.",
                    [Query(_in_span("earshot_ingest_answers_total", 'invited="no"'))],
                    width=6,
                    decimals=0,
                ),
                lines(
                    "Why is nobody asked?",
                    "Events in an hour that asked nobody, by reason.",
                    [
                        Query(
                            "sum by (reason) (increase(earshot_trigger_decisions_total"
                            '{$here, decision="suppressed"}[1h]))',
                            "{{reason}}",
                        )
                    ],
                    width=12,
                    quiet="everybody was asked.",
                ),
                lines(
                    "How many answers come?",
                    "In an hour, by metric and class.",
                    [
                        Query(
                            "sum by (metric, class)"
                            " (increase(earshot_scoring_answers_total{$here}[1h]))",
                            "{{metric}}: {{class}}",
                        )
                    ],
                    width=12,
                ),
            ],
        ),
        Row(
            "What is wrong?",
            [
                number(
                    "Alarms that are open",
                    "Detractors rose surely; GET /v1/alerts says where, since when and why.",
                    [Query("sum(earshot_alerts_open{$here}) or vector(0)")],
                    limit=1,
                ),
                lines(
                    "Which alarms are open?",
                    "By severity, and whether somebody has looked.",
                    [
                        Query(
                            "max by (metric, survey, severity, state) (earshot_alerts_open{$here})",
                            "{{metric}} {{survey}}: {{severity}}, {{state}}",
                        )
                    ],
                    width=10,
                    quiet="nothing is wrong.",
                ),
                lines(
                    "Is the promise of few false alarms kept?",
                    "Alarms a week: promised at most, and what the last four weeks gave by the"
                    " nightly audit, with the 95 % interval of the false ones.",
                    [
                        Query(
                            "max(earshot_alerts_promised_false_alarms_per_week{$here})",
                            "promised at most",
                        ),
                        *(
                            Query(
                                "max(earshot_alerts_audited_alarms_per_week"
                                f'{{$here, kind="{kind}", bound="{bound}"}})',
                                legend,
                            )
                            for kind, bound, legend in (
                                ("false", "estimate", "false"),
                                ("false", "low", "false, from"),
                                ("false", "high", "false, to"),
                                ("all", "estimate", "all"),
                            )
                        ),
                    ],
                    width=10,
                    band=("false, from", "false, to"),
                ),
            ],
        ),
    ],
    narrowed_by=[
        Variable("survey", "A survey's name; empty: all surveys together.", many=False),
        Variable("metric", "Which score.", _SHOWN + "}", many=False),
        Variable("window", "Over which time.", _SHOWN + ', metric="$metric"}', many=False),
        Variable("segment", "Whose.", _SHOWN + ', metric="$metric", window="$window"}'),
    ],
    span="now-24h",
)
