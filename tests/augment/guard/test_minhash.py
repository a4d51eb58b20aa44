import random

from hypothesis import given
from hypothesis import strategies as st

from augment.guard.minhash import Index, grams, jaccard, shingles, signature

WORDS = "lamp kettle jacket order refund password parcel courier friday invoice".split()


def sentence(rng: random.Random) -> list[str]:
    return [rng.choice(WORDS) for _ in range(8)]


def test_bands_find_what_an_exact_comparison_of_all_pairs_finds() -> None:
    rng = random.Random(3)
    base = [sentence(rng) for _ in range(60)]
    near = [[*s[:-1], rng.choice(WORDS)] for s in base]
    marks = [shingles(" ".join(s)) for s in base]
    index = Index()
    assert [index.add(m) for m in marks] == list(range(60))
    pairs = 0
    for s in near:
        own = shingles(" ".join(s))
        exact = [(i, jaccard(own, m)) for i, m in enumerate(marks) if jaccard(own, m) >= 0.6]
        assert list(index.like(own, 0.6)) == exact
        pairs += len(exact)
    assert pairs >= 40


def test_signatures_estimate_the_similarity() -> None:
    a, b = shingles("where is the lamp that i ordered"), shingles("where is the lamp i ordered")
    estimate = float((signature(a) == signature(b)).mean())
    assert abs(estimate - jaccard(a, b)) < 0.15


def test_the_same_text_has_the_same_hashes_on_every_machine() -> None:
    assert [int(x) for x in shingles("a👍")] == [PINNED]


PINNED = 3163873787590284962


TEXTS = st.text("abé👍灯 \r\n", max_size=40)


@given(TEXTS, TEXTS)
def test_jaccard_is_that_of_the_pieces(a: str, b: str) -> None:
    def pieces(text: str) -> set[str]:
        padded = f" {text} ".ljust(5, "\0")
        return {padded[i : i + 5] for i in range(len(padded) - 4)}

    x, y = pieces(a), pieces(b)
    assert jaccard(shingles(a), shingles(b)) == len(x & y) / len(x | y)
    assert len(grams(a)) == max(1, len(a) - 2)
