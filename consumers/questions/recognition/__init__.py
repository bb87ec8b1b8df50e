"""Evaluations, stars, points, commendations and benefits of one volunteer or many, as the trail
knows them.

May import `consumers.trail` and `consumers.questions.facts`.
"""
