"""What the other questions stand on: what was recorded before anything was made of it, what the
catalogue said at a moment and what it refused, who is who, and what ids are called.

May import `consumers.kafka` and `consumers.trail`.
"""
