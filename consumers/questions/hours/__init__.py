"""Totals and their breakdowns, organisations, plan and actual, headcounts, and why a number is
what it is.

May import `consumers.trail` and `consumers.questions.facts`.
"""
