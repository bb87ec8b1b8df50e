"""What a person sees and types: tables that fit the screen, times, files and pipes, progress, and
faults in their language.

May import `deploy.broker`.
"""
