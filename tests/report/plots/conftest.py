"""Reading drawings as what they are: XML."""

from xml.etree import ElementTree

import pytest


class Drawing:
    """A parsed SVG: elements by class, and the words on it."""

    def __init__(self, svg: str) -> None:
        self.root = ElementTree.fromstring(svg)

    def of_class(self, name: str) -> list[ElementTree.Element]:
        return [e for e in self.root.iter() if name in e.get("class", "").split()]

    @property
    def words(self) -> list[str]:
        return [e.text or "" for e in self.root.iter() if e.tag.endswith("text")]

    @property
    def description(self) -> str:
        return next(e.text or "" for e in self.root.iter() if e.tag.endswith("desc"))


@pytest.fixture
def parse():
    return Drawing
