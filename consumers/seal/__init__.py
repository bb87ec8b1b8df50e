"""The sealed log: a Merkle tree for each partition in tiles on disk, signed checkpoints, proofs,
and the witnesses who cosign only what continues what they saw.

May import `consumers.kafka` and `consumers.signing`.
"""
