"""The contract: what travels on the topics, in which bytes, under which names.

Directly in the folder lie the values: events, postings, topics, reason codes, times, and what
makes an event well formed. The packages turn them into bytes and watch how they change.

May import no other folder.
"""
