"""What is built of the sources: the compiled core, once for each state of them, kept in the
user's cache and never older than what is in the files; and what is to be installed alone.

May import `deploy.broker`.
"""
