"""Commands that start, stop and judge processes, and mend what no process mends by itself.

May import `deploy.broker`, `deploy.host`, `deploy.services`, `deploy.trail` and `deploy.stack`.
"""
