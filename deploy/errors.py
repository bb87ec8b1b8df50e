"""The one error a person sees: a stable code and one sentence in Chinese and English."""


class ShiluError(Exception):
    """Something expected went wrong; each sentence names the cause and the way out.

    `code` is stable and machine-readable, `zh` and `en` are shown by locale; `str()` is English.
    """

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code, zh, en)
        self.code = code
        self.zh = zh
        self.en = en

    def __str__(self) -> str:
        return self.en
