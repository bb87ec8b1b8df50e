"""What an auditor takes home, and its verification without us: entries in typed columns and exact
bytes, signatures, tiles, schemas.

May import `consumers.kafka`, `consumers.signing`, `consumers.seal`, `consumers.trail`,
`consumers.api` and `consumers.reconcile`.
"""
