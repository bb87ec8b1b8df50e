"""Who reads the log: the audit trail and the questions to it, the seal, reconciliation, bundles
and certificates. Directly in the folder lies what any of them may need.

May import `schemas` and `ledger`.
"""
