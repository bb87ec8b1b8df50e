"""Two registrations of one person become one, and two again: what an account hands to another, as
events, for its hours and for its cases.

May import `ledger.catalogue`, `ledger.account`, `ledger.hours` and `ledger.recognition`.
"""
