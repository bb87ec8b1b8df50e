"""Events from the command line: a file to the broker, and what became of each line and of each
catalogue event.

May import `deploy.terminal`, `deploy.trail` and `deploy.seal`.
"""
