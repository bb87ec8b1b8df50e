"""The language of the person at the terminal: Chinese or English."""

import os


def language() -> str:
    """`zh` or `en`: SHILU_LANG, else the locale as POSIX orders its variables, else English."""
    for variable in ("SHILU_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def text(zh: str, en: str) -> str:
    """The one of two texts that the person reads."""
    return zh if language() == "zh" else en
