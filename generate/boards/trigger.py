"""The board of trigger: what is decided, what is sent, what waits."""

from typing import Final

from generate.boards import resources, rows
from generate.boards.board import Board
from generate.boards.panels import Query, Row, lines
from generate.boards.queries import increases, quantiles, rates
from generate.boards.service import service_board

TRIGGER: Final[Board] = service_board(
    "trigger",
    "Decides who is asked, when and by which channel, and sends.",
    [
        Row(
            "Decisions",
            [
                lines(
                    "What is decided?",
                    "Decisions a second, by trigger.",
                    [rates("earshot_trigger_decisions_total{$here}", "trigger, decision")],
                    unit="cps",
                ),
                lines(
                    "Why is nobody asked?",
                    "Suppressed a second, by reason; GET /v1/decisions has each.",
                    [
                        rates(
                            'earshot_trigger_decisions_total{$here, decision="suppressed"}',
                            "reason",
                        )
                    ],
                    unit="cps",
                    quiet="everybody was asked.",
                ),
                lines(
                    "What do sources send in vain?",
                    "A second: repeats, types that no trigger can hear, customer ids that look"
                    " like addresses.",
                    [
                        rates("earshot_trigger_duplicate_events_total{$here}", "job", "repeats"),
                        rates(
                            "earshot_trigger_foreign_events_total{$here}", "job", "foreign types"
                        ),
                        rates(
                            "earshot_trigger_contact_like_customer_ids_total{$here}",
                            "job",
                            "ids like addresses",
                        ),
                    ],
                    unit="cps",
                ),
            ],
        ),
        Row(
            "Invitations",
            [
                lines(
                    "How late are invitations?",
                    "From when one was due to when it was sent; 99 of 100 within 30 s is promised.",
                    quantiles("earshot_trigger_dispatch_seconds{$here}"),
                    unit="s",
                    limit=30,
                ),
                lines(
                    "How do tries to send end?",
                    "A second, by channel. Mostly later: the channel is away, /readyz says why.",
                    [rates("earshot_trigger_sends_total{$here}", "channel, outcome")],
                    unit="cps",
                ),
                lines(
                    "How long does a try take?",
                    "By channel.",
                    quantiles("earshot_trigger_send_seconds{$here}", "channel"),
                    unit="s",
                ),
                lines(
                    "Where do invitations end?",
                    "In a quarter of an hour, by the state in which they stay.",
                    [
                        increases(
                            "earshot_trigger_invitations_ended_total{$here}",
                            "15m",
                            "status",
                            "{{status}}",
                        )
                    ],
                ),
                lines(
                    "What is due and not done?",
                    "How far behind the clock questions that are due, reminders and schedules are.",
                    [
                        Query("min(earshot_trigger_due_behind_seconds{$here})", "due"),
                        Query("min(earshot_trigger_reminders_held_seconds{$here})", "reminders"),
                        Query(
                            "min by (survey) (earshot_trigger_schedule_behind_seconds{$here})",
                            "schedule of {{survey}}",
                        ),
                    ],
                    unit="s",
                    limit=rows.ACCEPTABLE_LAG_S,
                ),
                lines(
                    "What could not be decided for a fault of ours?",
                    "In an hour: put off, left out, rounds of workers that failed; in the log.",
                    [
                        increases(
                            "earshot_trigger_due_put_off_total{$here}", "1h", "job", "events"
                        ),
                        increases(
                            "earshot_trigger_reminders_put_off_total{$here}",
                            "1h",
                            "job",
                            "reminders",
                        ),
                        increases(
                            "earshot_trigger_schedule_skipped_total{$here}",
                            "1h",
                            "survey",
                            "customers of {{survey}}",
                        ),
                        increases(
                            "earshot_trigger_worker_failures_total{$here}",
                            "1h",
                            "worker, verdict",
                            "{{worker}}: {{verdict}}",
                        ),
                    ],
                ),
            ],
        ),
    ],
    [rows.reading(), resources.database()],
)
