"""The worker: a Faust app that folds each partition's events in Kafka transactions. It lies in
its packages: the log, a partition's state, partitions at work, the process around them.

May import `schemas` and `ledger`.
"""
