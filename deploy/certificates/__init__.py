"""Certificates from the command line: issuing, revoking, checking what somebody brings.

May import `deploy.services`, `deploy.terminal`, `deploy.trail` and `deploy.seal`.
"""
