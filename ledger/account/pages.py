"""An account's pages: loaded when first looked at, remembered, and noted when written."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

P = TypeVar("P")

Held = tuple[dict[int, P], set[int]]
"""Pages by number and the numbers of those written, at a moment."""


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

    def held(self) -> Held[P]:
        """What is loaded and written now."""
        return dict(self.loaded), set(self.written)

    def go_back(self, held: Held[P]) -> None:
        """Let the pages be as they were; one that was loaded since is loaded again."""
        loaded, written = held
        self.loaded.clear()
        self.loaded.update(loaded)
        self.written.clear()
        self.written.update(written)
