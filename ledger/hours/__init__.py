"""The rules of an hour (docs/rules.md, sections 1 to 8): what may enter, the two ends of a
session, hours entered by hand, decisions, then settling, rating and the posting that says what
came of it.

May import `ledger.catalogue` and `ledger.account`.
"""
