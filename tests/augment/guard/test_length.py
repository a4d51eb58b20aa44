import pytest

from augment.guard.length import length
from augment.guard.values import Thresholds
from tests.augment.guard.made import child, context

BAND = Thresholds(lengths={"text": (10.0, 40.0)})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("where is my lamp", None),
        ("我的灯在哪里lamp我等了很久", None),
        ("lamp?", "'text' has 5 code points; 10 to 40 is the band"),
        ("lamp " * 20, "'text' has 100 code points; 10 to 40 is the band"),
    ],
)
def test_a_text_stays_within_the_projects_lengths(text: str, why: str | None) -> None:
    assert length(child(text), context(), BAND) == why


def test_a_key_without_a_band_has_no_bar() -> None:
    assert length(child("lamp"), context(), Thresholds()) is None
