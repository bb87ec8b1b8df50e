"""What does not count, or not yet: held, late, unfinished, undecided, anomalous; for whom it
waits and who may decide it.

May import `consumers.trail`, `consumers.questions.facts` and `consumers.questions.hours`.
"""
