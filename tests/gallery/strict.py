"""A project of a Label Studio that checks predictions; one config with every kind of control."""

from __future__ import annotations

from typing import Any

from label_config import Choice, Quantity, Region, Span, Written, read_schema
from label_config.wire import task_texts
from sync.start.api import StudioApi


class StrictProject:
    """A project of the strict Label Studio with one task, and its two doors for predictions."""

    def __init__(self, api: StudioApi, config: str, data: dict[str, Any]) -> None:
        made = api.call("POST", "/api/projects/", json={"title": "gallery", "label_config": config})
        self.api, self.id, self.config = api, int(made["id"]), str(made["label_config"])
        self.call("POST", "import", json=[{"data": data}])
        (self.task,) = api.call("GET", f"/api/tasks?project={self.id}")["tasks"]

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self.api.call(method, f"/api/projects/{self.id}/{path}", **options)

    def push(self, prediction: dict[str, Any]) -> list[dict[str, Any]]:
        """Send a prediction through both doors; what Label Studio then holds."""
        body = {**prediction, "task": self.task["id"]}
        self.api.call("POST", "/api/predictions/", json=body)
        self.call("POST", "import/predictions", json=[body])
        stored = self.api.call("GET", f"/api/predictions/?task={self.task['id']}")
        return [dict(p) for p in stored]


KINDS = """<View annotune-target="90%" annotune-base="minilm">
  <Text name="a" value="$left"/><Text name="b" value="$right"/>
  <HyperText name="h" value="$html"/><Paragraphs name="p" value="$talk"/>
  <Choices name="one" toName="a"><Choice value="x" alias="X"/><Choice value="y"/></Choices>
  <Choices name="many" toName="h" choice="multiple"><Choice value="x"/><Choice value="y"/></Choices>
  <Choices name="offer" toName="a" value="$options"/>
  <Taxonomy name="tree" toName="a"><Choice value="r"><Choice value="s"/></Choice></Taxonomy>
  <Rating name="stars" toName="p" maxRating="4"/>
  <Number name="count" toName="b" min="0"/>
  <Pairwise name="better" toName="a,b"/>
  <Labels name="words" toName="b"><Label value="w"/></Labels>
  <HyperTextLabels name="html" toName="h"><Label value="w"/></HyperTextLabels>
  <ParagraphLabels name="talk" toName="p"><Label value="w"/></ParagraphLabels>
  <TextArea name="note" toName="p"/>
</View>"""
DATA = {
    "left": "one",
    "right": "two \U0001f600 three",
    "html": "<p>a \U0001f600 b</p><table><tr><td>cell</td></tr></table>",
    "talk": [{"author": "Ann", "text": "hi \U0001f600 you"}, {"author": "Bo", "text": "bye"}],
    "options": [{"value": "One"}, {"value": "Two"}],
}


def everything() -> tuple[Region, ...]:
    texts = task_texts(read_schema(KINDS), DATA).by_key

    def span(name: str, to: str, key: str, words: str) -> Span:
        start = texts[key].index(words)
        return Span(name, to, start, start + len(words), words, ("w",), 0.5)

    return (
        Choice("one", "a", ("X",), 0.9),
        Choice("many", "h", ("x", "y")),
        Choice("offer", "a", ("Two",)),
        Choice("tree", "a", ("r / s", "r")),
        Choice("stars", "p", ("3",)),
        Quantity("count", "b", 2.5),
        Choice("better", "a", ("left",)),
        span("words", "b", "right", "\U0001f600 three"),
        span("html", "h", "html", "b\ncell"),
        span("talk", "p", "talk", "\U0001f600 you\nBo: by"),
        Written("note", "p", "two \U0001f600\nlines", 0.25),
    )
