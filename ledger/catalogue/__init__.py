"""What is registered, asked by date: organisations, projects, sites, shifts, policies, working
days, people under their pseudonyms; and what the newest records of it are about.

May import no other package of ledger/.
"""
