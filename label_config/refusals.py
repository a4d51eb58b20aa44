"""Why each kind of control that is not predicted is not, and what would make it so."""

from __future__ import annotations

_LEAVE = "leave it to people"
_IMAGE = ("it marks an image, and only text is read", _LEAVE)
_VIDEO = ("it marks a video, and only text is read", _LEAVE)
_SERIES = ("it marks a time series, and only text is read", _LEAVE)
_CHAT = ("it writes or rates the messages of a chat", "show the chat as <Paragraphs>")
_RELATION = ("relations between spans are not predicted", "leave them to people")
_CODE = ("what it stores is defined by its own code", "use one of Label Studio's own controls")

NEEDS_CAUSAL = (
    "needs a causal base",
    'let one serve it (annotune-base="smollm" on the root <View>, if ops allow that with '
    "ANNOTUNE_TRAIN_BASES; or ANNOTUNE_TRAIN_BASE), leave it to people, or ask with <Choices> or "
    "<Labels>",
)
"""Of a control that asks for a text, where the base is an encoder."""
REFUSED: dict[str, tuple[str, str]] = {
    "Relations": _RELATION,
    "Relation": _RELATION,
    "Ranker": ("an order of items is not predicted", "ask for a <Rating> or <Pairwise> instead"),
    "DateTime": ("dates are not predicted", "mark the date in the text with <Labels>"),
    "Chat": _CHAT,
    "ChatMessage": _CHAT,
    "ReactCode": _CODE,
    "Custom": _CODE,
    **dict.fromkeys(
        (
            *("Brush", "BrushLabels", "Bitmask", "BitmaskLabels", "MagicWand", "Ellipse"),
            *("EllipseLabels", "KeyPoint", "KeyPointLabels", "Vector", "VectorLabels"),
            *("OcrLabels", "Polygon", "PolygonLabels", "Rectangle", "RectangleLabels"),
        ),
        _IMAGE,
    ),
    **dict.fromkeys(
        ("VideoRectangle", "VideoVector", "VideoVectorLabels", "TimelineLabels"), _VIDEO
    ),
    "TimeSeriesLabels": _SERIES,
}
NO_CONTROLS = frozenset({"Filter", "Shortcut", "Header", "View", "Style", "Collapse", "Panel"})
"""Tags that never hold an answer, even where they carry name and toName."""


def refusal(tag: str) -> tuple[str, str]:
    """(reason, remedy) of a control that is never predicted, known here or not."""
    return REFUSED.get(
        tag, (f"<{tag}> is not predicted", "use Choices or Labels, or leave it to people")
    )
