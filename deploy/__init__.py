"""The `shilu` command: settings, processes, and the one place where everything is put together.

Directly in the folder lie what all of it uses (errors, the person's language, settings) and, on
top, the command's beginning.

May import `schemas`, `ledger`, `producers`, `streams`, `consumers` and `vault`.
"""
