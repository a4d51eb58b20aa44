"""What counts as a contraction, a shortening, a polite word: the English that a style is read by.
All patterns read small letters with straight apostrophes."""

from __future__ import annotations

import re

CONTRACTED = re.compile(
    r"\b(?:\w+n't|(?:i|you|we|they|he|she|it|that|what|where|who|how|there)'(?:m|re|ve|ll|d|s))\b"
)
BARE = re.compile(
    r"\b(?:dont|cant|wont|didnt|doesnt|isnt|wasnt|havent|hasnt|couldnt|shouldnt|wouldnt|arent|"
    r"im|ive|youre|theyre|thats|whats|wheres|hows|theres)\b"
)
FULL = re.compile(
    r"\b(?:(?:do|does|did|is|are|was|were|has|have|had|could|should|would|will|can) not|cannot|"
    r"i am|(?:i|you|we|they) (?:have|will|are)|(?:it|that|what|where|who|how|there|he|she) is)\b"
)
POLITE = re.compile(r"\b(?:please|pls|plz|thanks?|thx|kindly|sorry|hello|dear)\b")
FIRST_PERSON = re.compile(r"\b(?:i|my|me|mine|we|our|im|ive)\b")
STRETCHED = re.compile(r"([^\W\d_])(?!(?<=w)ww)\1\1")  # not www
FACES = re.compile(r"[\U0001F300-\U0001FAFF☀-➿]|(?<!\S)[:;]-?[)(dpx](?!\w)|\blol\b")
ARTICLES = frozenset({"a", "an", "the"})
SHORT = {
    "please": ("pls", "plz"),
    "thanks": ("thx",),
    "you": ("u",),
    "your": ("ur",),
    "are": ("r",),
    "because": ("cuz", "bc"),
    "people": ("ppl",),
    "message": ("msg",),
    "okay": ("ok",),
    "about": ("abt",),
    "though": ("tho",),
    "minutes": ("mins",),
}
"""Words, and how a chat shortens them."""
FUNCTION = frozenset(
    "a an the i you he she it we they me him her us them my your his its our their this that these "
    "those to of in on at for from with by as and or but if so not no do does did is are was were "
    "be been being am have has had can could will would shall should may might must what which who "
    "where when why how there here all any some into about than then also just out up only such "
    "please other".split()
)
"""Articles, pronouns, prepositions, conjunctions, auxiliaries: words that carry no subject."""
