"""Commands that write events: files, the catalogue, calendars, simulated histories.

May import `deploy.services`, `deploy.terminal` and `deploy.sending`.
"""
