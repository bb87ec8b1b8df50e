"""The seal from the command line: the sealer and the witness as processes, export, verification,
proofs, replay.

May import `deploy.host`, `deploy.services`, `deploy.terminal` and `deploy.trail`.
"""
