"""What tests stand on. For those that break things (`tests/faults`), by question:

what runs              ground (Kafka, PostgreSQL), fleet (replicas as processes), nursery (how they
                       begin), whole (all four at work), crew, plain and naive (consumers of ours)
what comes in          load (answers, a cell for each), paced, calls, doors (all of ingest), callers
                       (who see a connection end), askings, ruled (under all rules), wishes, town,
                       poison
what goes wrong        storm (kill -9 at work), lives (kill -9 or a failpoint), unrest (stop, kill),
                       stillness (stopped), proxy (cut, black-holed), disk (full), skew (clocks)
what came of it        tally and scored (scoring), evidence and rung (alerts), outlets and came
                       (what left trigger), watch (what replicas said meanwhile)
one step, one death    trials, crash_site, crash_streams, crash_waiting, crash_reminders,
                       crash_letters, crash_alerts, crash_doors
"""
