"""Reads a report in HTML, and asserts that it is well-formed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    def all(self, tag: str = "", kind: str = "") -> Iterator["Element"]:
        """This element and those in it, in order; only those of the tag and the class, if given."""
        if (not tag or tag == self.tag) and (
            not kind or kind in self.attributes.get("class", "").split()
        ):
            yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all(tag, kind)

    @property
    def text(self) -> str:
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join("".join(parts).split())

    def rows(self, kind: str) -> list[list[str]]:
        """The cells of the bodies of all tables of a class."""
        bodies = [body for table in self.all("table", kind) for body in table.all("tbody")]
        return [
            [cell.text for cell in row.all() if cell.tag in {"th", "td"}]
            for body in bodies
            for row in body.all("tr")
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in {"meta", "wbr"}:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Element:
    """Return the root of a report, in which each element is closed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    (root,) = reader.open
    return root
