"""What `shilu demo` shows of trust, and its last screen.

May import `deploy.trail`, `deploy.seal` and `deploy.certificates`.
"""
