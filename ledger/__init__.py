"""The pure core: what an event does to a volunteer's hours. No clock, no random, no I/O.

Directly in the folder lie the ways in: `rules.post` for one event and one account, `fold` for a
partition, `publish` for the catalogue, `replay` and `whatif` for a whole log; and `merkle`, which
needs nothing of it all.

May import `schemas`.
"""
