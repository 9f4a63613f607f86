"""Rows that several boards have: of requests, of what is read from Kafka and written to it."""

from typing import Final

from generate.boards.panels import Panel, Query, Row, lines
from generate.boards.queries import quantiles, rates

ACCEPTABLE_LAG_S: Final = 300.0


def requests() -> Row:
    """How many, how they end, how long they take."""
    return Row(
        "Requests",
        [
            lines(
                "How many requests come, and how do they end?",
                "Answered requests a second by status. 4xx: the caller's; 503 of ingest: Kafka did"
                " not take it; other 5xx: a fault of ours, in the log.",
                [rates("earshot_http_requests_total{$here}", "code")],
                unit="reqps",
            ),
            lines(
                "How long do they take?",
                "Time to answer, over all routes of the service.",
                quantiles("earshot_http_request_duration_seconds{$here}"),
                unit="s",
            ),
            lines(
                "Which routes are slow?",
                "99 of 100 requests of a route take less.",
                [
                    Query(
                        "histogram_quantile(0.99, sum by (route, le)"
                        " (rate(earshot_http_request_duration_seconds_bucket{$here}"
                        "[$__rate_interval])))",
                        "{{route}}",
                    )
                ],
                unit="s",
            ),
        ],
    )


def lag() -> Panel:
    """How late the newest news is."""
    return lines(
        "How far is it behind?",
        "How old the oldest record is that is not settled, by topic. Below a second where nothing"
        " waits; over five minutes pages (EarshotConsumerLate).",
        [
            Query(
                "max by (service, topic) (earshot_consumer_lag_seconds{$here})",
                "{{service}}: {{topic}}",
            )
        ],
        unit="s",
        limit=ACCEPTABLE_LAG_S,
    )


def trouble() -> Panel:
    """What a consumer should not have to do."""
    return lines(
        "What goes wrong while reading?",
        "A second: dead letters, batches tried again, fenced partitions, offsets that were gone.",
        [
            rates(
                'earshot_consumer_records_total{$here, outcome="dead-letter"}',
                "topic",
                "dead letters of {{topic}}",
            ),
            rates("earshot_consumer_retries_total{$here}", "service", "{{service}}: tried again"),
            rates(
                "earshot_consumer_fenced_partitions_total{$here}", "service", "{{service}}: fenced"
            ),
            rates("earshot_consumer_gap_records_total{$here}", "topic", "lost of {{topic}}"),
        ],
        unit="short",
    )


def reading() -> Row:
    """What a consumer settles, and how late."""
    return Row(
        "Reading from Kafka",
        [
            lag(),
            lines(
                "How many records wait?",
                "Records not yet settled, over the partitions of all replicas.",
                [Query("sum by (topic) (earshot_consumer_lag_records{$here})", "{{topic}}")],
            ),
            lines(
                "How many records are settled, and how?",
                "A second, by topic and outcome.",
                [rates("earshot_consumer_records_total{$here}", "topic, outcome")],
                unit="cps",
            ),
            lines(
                "How old is a record when it is settled?",
                "From Kafka's receipt to the commit. After an outage as long as that.",
                quantiles("earshot_consumer_record_age_seconds{$here}", "topic"),
                unit="s",
            ),
            lines(
                "How long does a batch take?",
                "Its transaction, what it sends, and the commit.",
                quantiles("earshot_consumer_batch_seconds{$here}"),
                unit="s",
            ),
            trouble(),
        ],
    )


def writing() -> Row:
    """What a producer writes."""
    return Row(
        "Writing to Kafka",
        [
            lines(
                "How many records are written, and are they taken?",
                "A second, by topic and outcome; failed ones are tried again by whoever sent them.",
                [rates("earshot_producer_records_total{$here}", "topic, outcome")],
                unit="cps",
            ),
            lines(
                "How long does Kafka take to acknowledge?",
                "From sending a batch to all in-sync replicas having it, or its failure.",
                quantiles("earshot_producer_send_seconds{$here}"),
                unit="s",
            ),
            lines(
                "How many records wait for an acknowledgement?",
                "More than a second's worth: Kafka is slow.",
                [
                    Query(
                        "sum by (instance) (earshot_producer_in_flight_records{$here})",
                        "{{instance}}",
                    )
                ],
            ),
        ],
    )
