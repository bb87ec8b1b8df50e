"""The audit trail: its store (chDB, or a ClickHouse server), the rows a record becomes, the sink
that writes each of them once, and where it goes on after any kill.

May import `consumers.kafka` and `consumers.signing`.
"""
