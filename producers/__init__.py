"""The client for field apps, directly in this folder: an event is stored first, sent when there
is a network, and never made a second time for the same fact. The packages are other ways to the
same topics.

May import `schemas` and `ledger`.
"""
