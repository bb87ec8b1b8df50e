"""What can go wrong in the vault. No error carries personal data, not even in its causes."""


class VaultError(Exception):
    """The vault cannot do what was asked; the code says why, the detail where.

    `detail` is a file, a field's name, a pseudonym or a number: never anything a person is known
    by. Raise it `from None` wherever the cause may quote its input.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Refused(Exception):
    """One registration is not taken: a code and the field it is about, never the value."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(f"{code}: {field}")
        self.code = code
        self.field = field
