"""What a project's own training data looks like, in numbers: the start of prompts, noise and aim.

Of human train rows (and, for style alone, the unlabelled pool); never of the holdout.
"""

from augment.profile.confusion import Confusion, OutOfFold, lower_bound, margin
from augment.profile.measure import Profile, profile
from augment.profile.rows import originals
from augment.profile.style import Style, rates, style_of

__all__ = [
    "Confusion",
    "OutOfFold",
    "Profile",
    "Style",
    "lower_bound",
    "margin",
    "originals",
    "profile",
    "rates",
    "style_of",
]
