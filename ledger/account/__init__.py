"""What is remembered of one volunteer: spans of service with their facts and minutes, what was
asked for and decided about them, statements about cases, and the pages in which all this lies.

May import `ledger.catalogue`.
"""
