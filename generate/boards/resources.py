"""Rows of what a process takes: connections to PostgreSQL, CPU, memory, files, time."""

from generate.boards.panels import Query, Row, lines
from generate.boards.queries import quantiles, rates


def database() -> Row:
    """Connections to PostgreSQL."""
    return Row(
        "PostgreSQL",
        [
            lines(
                "How many connections are in use?",
                "Open ones by state, and how many may be in use at once.",
                [
                    Query("sum by (state) (earshot_database_connections{$here})", "{{state}}"),
                    Query("sum (earshot_database_connections_max{$here})", "at most"),
                ],
            ),
            lines(
                "How long is a connection waited for?",
                "Below 0.01 s is normal; over one second for a quarter of an hour makes a ticket.",
                quantiles("earshot_database_connection_wait_seconds{$here}"),
                unit="s",
                limit=1,
            ),
            lines(
                "How often is none had?",
                "The database is away, refuses, or all connections are in use. A second.",
                [rates("earshot_database_connection_failures_total{$here}", "instance")],
                unit="cps",
            ),
        ],
    )


def process() -> Row:
    """What the process takes of its machine."""
    return Row(
        "Process",
        [
            lines(
                "How much CPU does it take?",
                "Cores. One process uses little more than one.",
                [rates("process_cpu_seconds_total{$here}", "instance")],
            ),
            lines(
                "How much memory does it take?",
                "Resident memory. One process that runs all services shows the same for each.",
                [Query("max by (instance) (process_resident_memory_bytes{$here})", "{{instance}}")],
                unit="bytes",
            ),
            lines(
                "How late is its event loop?",
                "How late timers come; every request waits as long. Below 0.05 s is normal.",
                quantiles("earshot_event_loop_lag_seconds{$here}", "instance"),
                unit="s",
                limit=0.5,
            ),
        ],
    )


def running_out() -> Row:
    """What ends first, of all services."""
    return Row(
        "What runs out?",
        [
            lines(
                "How much memory do processes take?",
                "Resident, by service. One process that runs all shows the same four times.",
                [
                    Query(
                        "max by (service, instance) (process_resident_memory_bytes{$here})",
                        "{{service}} {{instance}}",
                    )
                ],
                unit="bytes",
            ),
            lines(
                "How late are event loops?",
                "99 of 100 timers come less late than this.",
                [
                    Query(
                        "histogram_quantile(0.99, sum by (service, le)"
                        " (rate(earshot_event_loop_lag_seconds_bucket{$here}"
                        "[$__rate_interval])))",
                        "{{service}}",
                    )
                ],
                unit="s",
                limit=0.5,
            ),
            lines(
                "What share of connections and files is in use?",
                "At 1 the next one waits, or is refused.",
                [
                    Query(
                        'sum by (service) (earshot_database_connections{$here, state="in-use"})'
                        " / sum by (service) (earshot_database_connections_max{$here})",
                        "{{service}}: connections",
                    ),
                    Query(
                        "max by (service) (process_open_fds{$here} / process_max_fds{$here})",
                        "{{service}}: files",
                    ),
                ],
                unit="percentunit",
                limit=0.8,
            ),
        ],
    )
