"""What is asked of the operating system: notes of running processes, ports, groups of processes,
logs of a bounded size.

May import no other package of deploy/.
"""
