"""Personal data, apart from the ledger: who a pseudonym is, under a key of their own each.

Knows neither Kafka nor the trail: what it says to the ledger is an event that carries no personal
data, and goes out through a function that is handed to it.

May import `schemas`.
"""
