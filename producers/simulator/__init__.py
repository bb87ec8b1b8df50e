"""A seeded history of a province: who serves whom, where and when, what goes wrong in the field,
and the records in the order in which they reach the log.

May import no other package of producers/.
"""
