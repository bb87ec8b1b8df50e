"""The log as its readers see it: committed records of named partitions, what it has lost, where a
record that was sent on came from, and a look into a topic.

May import no other package of consumers/.
"""
