"""Wrong on purpose: JSON and labelling XML changed a little, text of every plane. Seeded."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

SEED = "annotune-1"
"""Case n is the same whatever the count: `draw(what, n)`."""


def draw(what: str, number: int) -> random.Random:
    return random.Random(f"{SEED} {what} {number}")


MARKUP = "<script>alert(1)</script>"
SPICE = [
    *("\0", "\ud800", "\udfff", "\ufeff", "\u202e", "\u2028", "\r\n", "\r", "\x1b[31m", "\x7f"),
    *("e\u0301\u0323", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufdfa", "\u0130", "\xdf"),
    *(MARKUP, "&lt;", "]]>", "${x}", "{{7*7}}", "%s%n", "../../etc/passwd"),
]


def text(rng: random.Random) -> str:
    """A few characters, of any plane."""
    parts = [chr(rng.randrange(17) * 0x10000 + rng.randrange(0x10000)) for _ in range(4)]
    return "".join(rng.choice([p, rng.choice(SPICE), "a", " "]) for p in parts) * rng.choice(
        [1, 1, 1, 500]
    )


def spiced(rng: random.Random, value: Any) -> Any:
    """The value with all its texts changed, and some of them another's."""
    if isinstance(value, str):
        return rng.choice([value, value + text(rng), text(rng) + value, text(rng), text(rng)])
    if isinstance(value, list):
        return [spiced(rng, item) for item in value]
    return {k: spiced(rng, v) for k, v in value.items()} if isinstance(value, dict) else value


def odd(rng: random.Random) -> Any:
    """A value that nobody expects there."""
    return rng.choice(
        [
            *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308),
            *(float("nan"), float("inf"), float("-inf"), "", " ", "1", "-1", "NaN", [], {}, [[]]),
            *([None], {"id": None}, {"": ""}, text(rng), text(rng), text(rng), [text(rng)]),
            nested(rng.choice([5, 60, 400])),
        ]
    )


def nested(depth: int) -> Any:
    value: Any = []
    for n in range(depth):
        value = [value] if n % 2 else {"a": value}
    return value


def json_like(rng: random.Random, value: Any) -> Any:
    """The value with one to three of its nodes changed."""
    made = copy.deepcopy(value)
    for _ in range(rng.choice([1, 1, 2, 3])):
        nodes = [(None, None), *_nodes(made)]
        holder, key = rng.choice(nodes)
        if holder is None:
            made = odd(rng) if rng.random() < 0.05 else made
            continue
        _change(rng, holder, key)
    return made


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(value, (dict, list)):
        return
    for key, child in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        yield from _nodes(child)


def _change(rng: random.Random, holder: Any, key: Any) -> None:
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[text(rng) if rng.random() < 0.5 else str(key).upper()] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(rng.choice(holder)))
        case 3 if isinstance(holder[key], str) and holder[key]:
            at = rng.randrange(len(holder[key]))
            holder[key] = holder[key][:at] + text(rng) + holder[key][at + rng.randrange(3) :]
        case 4 if isinstance(holder[key], (int, float)):
            holder[key] = rng.choice([-1, 10**6, 0.5, 10**30, -holder[key], str(holder[key])])
        case _:
            holder[key] = odd(rng)


def wire(rng: random.Random, value: Any) -> bytes:
    """As bytes of a request: mostly JSON, sometimes cut or with a bit turned."""
    raw = json.dumps(value, ensure_ascii=True).encode()
    match rng.randrange(12):
        case 0:
            return raw[: rng.randrange(len(raw) + 1)]
        case 1 if raw:
            at = rng.randrange(len(raw))
            return raw[:at] + bytes([raw[at] ^ (1 << rng.randrange(8))]) + raw[at + 1 :]
        case 2:
            return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return raw


WORDS = [
    *("name", "toName", "value", "choice", "showInline", "min", "max", "step", "maxRating"),
    *("valueType", "visibleWhen", "whenTagName", "whenLabelValue", "perRegion", "required", "hint"),
    *("annotune-base", "annotune-role", "annotune-regulated", "maxUsages", "granularity", "alias"),
]
TAGS = [
    *("Choices", "Choice", "Labels", "Label", "Text", "HyperText", "Paragraphs", "Taxonomy"),
    *("Rating", "Number", "Pairwise", "TextArea", "View", "Relations", "Image", "ReactCode"),
]
VALUES = [
    *("", "$text", "$", "$text.a[0]", "$$", "text", "0", "-1", "1e999", "NaN", "true", "TRUE"),
    *(
        "url",
        "context",
        "variant",
        "x" * 5000,
        "a,b,c",
        "&#x10FFFF;",
        "&#0;",
        "&amp;",
        "1,5",
        "9" * 30,
    ),
]


def xml(rng: random.Random, config: str) -> str:
    """A labelling XML with one to three changes: most stay well-formed."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        config = _change_xml(rng, config)
    return config


def _change_xml(rng: random.Random, config: str) -> str:
    words = config.split('"')
    match rng.randrange(11):
        case 0 if len(words) > 2:  # another value of an attribute
            at = rng.randrange(1, len(words) - 1, 2)
            spiced = text(rng).translate({ord(c): " " for c in '"<&\0'})
            words[at] = rng.choice([*VALUES, spiced, rng.choice(words[1::2])])
            return '"'.join(words)
        case 1:
            return config.replace(rng.choice(TAGS), rng.choice(TAGS), rng.choice([1, 99]))
        case 2:
            return config.replace(rng.choice(WORDS) + "=", rng.choice(WORDS) + "=", 1)
        case 3:
            tag = rng.choice(TAGS)
            return config.replace(
                f"<{tag} ", f'<{tag} {rng.choice(WORDS)}="{rng.choice(VALUES)}" ', 1
            )
        case 4:
            at = config.rfind("</View>")
            more = f'<{rng.choice(TAGS)} name="n{rng.randrange(3)}" toName="text" value="$text"/>'
            return config[:at] + more * rng.choice([1, 2, 300]) + config[at:]
        case 5:
            at = rng.randrange(len(config) + 1)
            return (
                config[:at]
                + rng.choice(["<", ">", "&", "\0", '"', "<!--", "]]>", text(rng)])
                + config[at:]
            )
        case 6:
            return config[: rng.randrange(len(config) + 1)]
        case 7:
            depth = rng.choice([3, 200, 5000])
            return "<View>" * depth + config + "</View>" * depth
        case 8:
            return rng.choice(
                [
                    '<?xml version="1.0" encoding="UTF-16"?>' + config,
                    '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + config,
                    config.replace("<View", '<View xmlns:x="http://x" x:y="z"', 1),
                    config.replace("<View", "<view", 1),
                    "",
                ]
            )
        case 9:
            lines = config.splitlines(keepends=True)
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines or [""]))
            return "".join(lines)
    lines = config.splitlines(keepends=True)
    rng.shuffle(lines)
    return "".join(lines)
