"""P.835: the speech signal, the background and the whole of a clip, rated apart (ITU-T P.835)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from auralign.listen.protocols.acr import LABELS, CategoryTest
from auralign.listen.protocols.test_type import Dimension

SIGNAL = {
    5: "Not distorted",
    4: "Slightly distorted",
    3: "Somewhat distorted",
    2: "Fairly distorted",
    1: "Very distorted",
}
BACKGROUND = {
    5: "Not noticeable",
    4: "Slightly noticeable",
    3: "Noticeable but not intrusive",
    2: "Somewhat intrusive",
    1: "Very intrusive",
}
DIMENSIONS = (
    Dimension(id="signal", question="Attending only to the speech signal, it is"),
    Dimension(id="background", question="Attending only to the background, it is"),
    Dimension(id="overall", question="The overall quality is"),
)


class P835Test(CategoryTest):
    """One clip, three ratings; signal and background change places between listeners."""

    type: Literal["p835"]

    def asked(self) -> tuple[Dimension, ...]:
        return DIMENSIONS

    def categories(self, dimension: Dimension) -> Mapping[int, str]:
        return {"signal": SIGNAL, "background": BACKGROUND}.get(dimension.id, LABELS)
