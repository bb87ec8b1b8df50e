"""The process: the Faust app and its one agent, the catalogue it follows, the clock it writes,
and what it says of itself.

May import `streams.kafka`, `streams.state` and `streams.partitions`.
"""
