"""A partition's accounts: as bytes, in memory while a batch is folded, on local disk between
batches, and restored from `ledger.accounts` by as many processes as there are cores.

May import `streams.kafka`.
"""
