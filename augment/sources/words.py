"""English word lists that noise reads and a profile can count by: what may be contracted, shortened
or left out, and the words that carry a label and are never touched.

A project in another language shows none of these habits, so its rates for them are zero.
"""

from __future__ import annotations

NEGATIONS = frozenset(
    "no not nor none never neither nobody nothing nowhere without cannot cant wont dont didnt "
    "doesnt isnt arent wasnt werent hasnt havent hadnt couldnt wouldnt shouldnt aint hardly barely "
    "except unless lack lacks lacking denies denied deny refuses refused".split()
)
"""And every word that ends in n't."""

NUMBER_WORDS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand million billion half third quarter dozen couple few several once twice first "
    "second last both all every each more less most least only".split()
)
WHEN_WORDS = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december today tomorrow yesterday tonight "
    "before after left right".split()
)
KEPT = NEGATIONS | NUMBER_WORDS | WHEN_WORDS
"""What no typo may hit and no typo may make."""

CONTRACTIONS = {
    "do not": "don't",
    "does not": "doesn't",
    "did not": "didn't",
    "is not": "isn't",
    "are not": "aren't",
    "was not": "wasn't",
    "were not": "weren't",
    "have not": "haven't",
    "has not": "hasn't",
    "had not": "hadn't",
    "could not": "couldn't",
    "would not": "wouldn't",
    "should not": "shouldn't",
    "can not": "can't",
    "cannot": "can't",
    "will not": "won't",
    "i am": "I'm",
    "i have been": "I've been",
    "i will": "I'll",
    "i would like": "I'd like",
    "you are": "you're",
    "we are": "we're",
    "they are": "they're",
    "it is": "it's",
    "that is": "that's",
    "there is": "there's",
    "he is": "he's",
    "she is": "she's",
}
EXPANSIONS = {
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "weren't": "were not",
    "haven't": "have not",
    "hasn't": "has not",
    "couldn't": "could not",
    "wouldn't": "would not",
    "shouldn't": "should not",
    "can't": "cannot",
    "won't": "will not",
    "i'm": "I am",
    "i've": "I have",
    "i'll": "I will",
    "you're": "you are",
    "we're": "we are",
    "they're": "they are",
}
BARE_IS_A_WORD = frozenset({"ill", "id", "shed", "shell", "hell", "wed", "well", "were"})
"""Contractions that mean something else without the apostrophe."""

SHORT = {
    "please": ("pls", "plz"),
    "thanks": ("thx",),
    "you": ("u",),
    "your": ("ur",),
    "because": ("cuz", "bc"),
    "people": ("ppl",),
    "message": ("msg",),
    "okay": ("ok",),
    "about": ("abt",),
    "though": ("tho",),
    "minutes": ("mins",),
    "want to": ("wanna",),
    "let me know": ("lmk",),
    "by the way": ("btw",),
    "as soon as possible": ("asap",),
}
"""Words and how they are shortened in a chat."""

ARTICLES = frozenset({"a", "an", "the"})
QUANTITIES = frozenset("few little lot bit couple hundred thousand million dozen while".split())
"""With an article before them they mean something else."""
BEFORE_AN_ARTICLE = frozenset(
    "is was be been have has had got get getting need want make made as with for in on at of to "
    "and or like there's it's i've by from into find add book play order use using buy sent send "
    "received receive see lost waiting open cancel request give show about".split()
)
"""After these an `a` is the article, not a grade or a name ("hepatitis a")."""
LEAVES_I_OUT = frozenset("need want lost forgot tried got can't cannot don't haven't just".split())
QUESTIONS = frozenset(
    "who whom whose what which when where why how is are am was were do does did can could will "
    "would should may has have had".split()
)
"""With one of these at its head a sentence asks, with a question mark or without."""
WH = frozenset("who whom whose what which when where why how whether".split())
PRONOUNS = frozenset("i you he she it we they this that there".split())
CLAUSES = PRONOUNS | frozenset(
    "me my your please is are was were do does did can could will would should have has had "
    "and but so because when if what how where why who since while then".split()
)
"""Words of whole sentences; behind a comma one of them begins a clause."""
