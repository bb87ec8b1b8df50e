"""What hours are judged and honoured by: evaluations, stars, points, commendations, certificates.
Folded after the hours they rest on, into postings without lines.

May import `ledger.catalogue`, `ledger.account` and `ledger.hours`.
"""
