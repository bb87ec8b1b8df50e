"""One module for each group of `shilu` commands; each has `register(app)`, and `deploy.cli` finds
it by name.

May import `deploy.broker`, `deploy.host`, `deploy.services`, `deploy.terminal`, `deploy.trail`,
`deploy.seal`, `deploy.sending`, `deploy.vault`, `deploy.certificates`, `deploy.stack`,
`deploy.demo` and `deploy.commands.writing`.
"""
