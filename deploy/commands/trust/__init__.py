"""Commands of those who trust nobody, and of those who keep secrets: seals, bundles,
certificates, the vault.

May import `deploy.services`, `deploy.terminal`, `deploy.trail`, `deploy.seal`, `deploy.vault` and
`deploy.certificates`.
"""
