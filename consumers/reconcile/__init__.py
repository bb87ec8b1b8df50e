"""Is everything there, and right? Log, trail and accounts held against each other, the ledger
computed again byte by byte, and how far everybody is behind.

May import `consumers.kafka`, `consumers.signing`, `consumers.seal`, `consumers.trail` and
`consumers.api`.
"""
