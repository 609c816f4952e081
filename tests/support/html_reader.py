"""Reads a page, as strictly as nobody else does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    def all(self, tag: str = "", kind: str = "") -> Iterator["Element"]:
        """It and what is in it, in order; of a tag or a class."""
        classes = (self.attributes.get("class") or "").split()
        if (not tag or tag == self.tag) and (not kind or kind in classes):
            yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all(tag, kind)

    @property
    def text(self) -> str:
        """All text in it, on one line."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join("".join(parts).split())


VOID = {"meta", "line", "rect", "wbr"}


class Page(HTMLParser):
    """Reads a page, and asserts that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Element("")
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)
