"""The vault put together: how its events reach Kafka, how it runs, its access log checked,
registrations in batches.

May import `deploy.services`, `deploy.terminal` and `deploy.trail`.
"""
