"""Asking by name: which questions there are, the process that owns the trail and answers them on
loopback, and who asks it.

May import `consumers.seal`, `consumers.trail`, `consumers.questions.facts`,
`consumers.questions.hours`, `consumers.questions.open_items`, `consumers.questions.recognition`
and `consumers.certificates`.
"""
