"""Many events at once: a file of any shape as lines, lines as events, events as records under
way, one result a line; and a few records that are in the log together or not at all.

May import no other package of producers/.
"""
