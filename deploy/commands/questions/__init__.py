"""Commands that ask the trail and change nothing, and `shilu quarantine`.

May import `deploy.terminal` and `deploy.trail`.
"""
