"""Questions to the trail, by subject: facts, hours, open items, recognition. Each is a function
of a trail and plain values; SQL has its values bound.

May import no other package of consumers/.
"""
