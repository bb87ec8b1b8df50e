"""An account's pages: loaded when first looked at, remembered, and noted when written."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

P = TypeVar("P")


class Pages(Generic[P]):
    """Pages by number; `written` names those put since it was last emptied.

    A page is replaced, never changed in place.
    """

    def __init__(self, load: Callable[[int], P]) -> None:
        self.load: Final = load
        self.loaded: Final[dict[int, P]] = {}
        self.written: Final[set[int]] = set()

    def get(self, number: int) -> P:
        """The page of this number."""
        page = self.loaded.get(number)
        if page is None:
            page = self.loaded[number] = self.load(number)
        return page

    def put(self, number: int, page: P) -> None:
        """Replace a page."""
        self.loaded[number] = page
        self.written.add(number)
