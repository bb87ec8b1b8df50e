"""Partitions at work: which fetched records may be folded now, the chunk that is folded, the
transaction it is written in, what a broker refused, and the task that opens, feeds and closes
each of them.

May import `streams.kafka` and `streams.state`.
"""
