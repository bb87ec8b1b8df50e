"""Certificates of service: what one says and is worth, what the trail holds behind it, the page
of paper and the signed credential.

May import `consumers.signing`, `consumers.trail` and `consumers.questions.facts`.
"""
