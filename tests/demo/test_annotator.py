"""The simulated annotator judges what is shown, and nothing else."""

from typing import Any

from demo.annotator import Annotator, newest_prediction, same_answer, write_answer
from demo.rows import Gold, Row
from sync.start.api import StudioRefused

ROW = Row("Refund A-1 please", "Refund", (Gold(7, 10, "Order number"),))


class StudioWithOneTask:
    """Hands out one task with these predictions, then 404, and keeps what is submitted."""

    def __init__(self, predictions: list[dict[str, Any]]) -> None:
        self.task = {"id": 5, "data": {"text": ROW.text}, "predictions": predictions}
        self.submitted: list[dict[str, Any]] = []

    def call(self, method: str, path: str, **options: Any) -> Any:
        if method == "POST":
            assert path == "/api/tasks/5/annotations/"
            self.submitted.append(options["json"])
            return {"id": 1}
        if self.submitted:
            raise StudioRefused("GET next: 404", 404)
        return self.task


def prediction(label: str, number: int = 9) -> dict[str, Any]:
    right = write_answer(Row(ROW.text, label, ROW.spans))
    scored = [{**region, "score": 0.5} for region in right]
    return {"id": number, "result": scored, "model_version": "v1-00000000"}


def answer(studio: StudioWithOneTask) -> Any:
    gold = {ROW.text: ROW}
    return Annotator(studio, 3, gold, pace=0.0).answer_next()  # type: ignore[arg-type]


def test_a_right_prediction_is_accepted_as_it_is_without_the_models_scores() -> None:
    studio = StudioWithOneTask([prediction("Refund")])
    done = answer(studio)
    assert (done.shown, done.changed, done.version) == (True, False, "v1-00000000")
    kept = studio.submitted[0]
    assert kept["parent_prediction"] == 9
    assert all("score" not in region for region in kept["result"])
    assert same_answer(kept["result"], ROW)


def test_a_wrong_prediction_is_corrected_and_what_was_right_keeps_its_id() -> None:
    wrong = prediction("Delivery")
    studio = StudioWithOneTask([wrong])
    done = answer(studio)
    assert (done.shown, done.changed) == (True, True)
    result = studio.submitted[0]["result"]
    assert same_answer(result, ROW)
    ids = {region["from_name"]: region["id"] for region in result}
    shown = {region["from_name"]: region["id"] for region in wrong["result"]}
    assert ids["spans"] == shown["spans"] and ids["label"] != shown["label"]


def test_an_empty_prediction_shows_nothing_so_the_answer_is_blind() -> None:
    empty = {"id": 9, "result": [], "model_version": "v1-00000000"}
    studio = StudioWithOneTask([empty])
    done = answer(studio)
    assert (done.shown, done.changed) == (False, False)
    assert studio.submitted[0]["parent_prediction"] == 9, "the editor names empty ones too"
    assert same_answer(studio.submitted[0]["result"], ROW)


def test_the_lead_time_is_the_time_that_passed() -> None:
    studio = StudioWithOneTask([])
    answer(studio)
    assert 0 <= studio.submitted[0]["lead_time"] < 1


def test_of_two_predictions_the_newest_is_the_one_shown() -> None:
    task = {"predictions": [prediction("Delivery", 3), prediction("Refund", 4)]}
    assert (newest_prediction(task) or {})["id"] == 4


def test_no_further_task_is_not_an_error() -> None:
    studio = StudioWithOneTask([])
    gold = {ROW.text: ROW}
    annotator = Annotator(studio, 3, gold, pace=0.0)  # type: ignore[arg-type]
    assert annotator.answer_next() is not None
    assert annotator.answer_next() is None


class LockedAtFirst(StudioWithOneTask):
    """Answers 500 to the first submit, as Label Studio does while SQLite is locked."""

    failures = 1

    def call(self, method: str, path: str, **options: Any) -> Any:
        if method == "POST" and self.failures:
            self.failures -= 1
            self.refused = options["json"]
            raise StudioRefused("POST: 500", 500)
        return super().call(method, path, **options)


def test_a_submit_that_label_studio_fails_on_is_pressed_again_with_the_same_id() -> None:
    studio = LockedAtFirst([prediction("Refund")])
    done = Annotator(studio, 3, {ROW.text: ROW}, pace=0.0, sleep=lambda s: None).answer_next()  # type: ignore[arg-type]
    assert done is not None and done.resubmitted == 1
    assert studio.submitted == [studio.refused]
