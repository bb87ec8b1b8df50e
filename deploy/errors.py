"""The one error a person sees: a stable code and one sentence in Chinese and English."""

from typing import Any


class ShiluError(Exception):
    """Something expected went wrong; each sentence names the cause and the way out.

    `code` is stable and machine-readable, `zh` and `en` are shown by locale; `str()` is English.
    `field` is the option, argument or field it is about, where there is one; `exit_code` what the
    command ends with. In a sentence the way out stands behind the last colon. `answered`: the
    command has given its answer, and this is said beside it.
    """

    def __init__(
        self,
        code: str,
        zh: str,
        en: str,
        *,
        field: str | None = None,
        exit_code: int = 1,
        answered: bool = False,
    ) -> None:
        super().__init__(code, zh, en)
        self.code = code
        self.zh = zh
        self.en = en
        self.field = field
        self.exit_code = exit_code
        self.answered = answered

    def __str__(self) -> str:
        return self.en

    def as_json(self, language: str) -> dict[str, Any]:
        """What `--json` prints: code, field, message, fix in one language, and both sentences."""
        said, colon = (self.zh, ":") if language == "zh" else (self.en, ": ")
        message, _, fix = said.rpartition(colon)
        return {
            "code": self.code,
            "field": self.field,
            "message": message or said,
            "fix": fix.strip() if message else None,
            "zh": self.zh,
            "en": self.en,
        }
