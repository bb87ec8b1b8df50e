"""The audit trail from the command line: the sink as a process, asking, checking, what answers
look like, and what goes wrong around it in one sentence.

May import `deploy.host`, `deploy.services` and `deploy.terminal`.
"""
