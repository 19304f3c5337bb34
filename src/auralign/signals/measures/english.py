"""A text normaliser for English, so that a recogniser's spelling is not counted as its error."""

from __future__ import annotations

import re
import unicodedata

from auralign.signals.recognisers.words import normalise_words

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
_LONGEST_NUMBER = 12

_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_WRITTEN_SHORT = {"mr": "mister", "mrs": "missus", "dr": "doctor", "prof": "professor"}
_SYMBOLS = {"&": " and ", "%": " percent ", "+": " plus "}

_NUMBER = re.compile(r"(?P<whole>\d+)(?:\.(?P<decimals>\d+)|(?P<ordinal>st|nd|rd|th)\b)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


def normalise_english(text: str) -> str:
    """Lower case words as they are spoken, one space between them.

    Unicode NFKC; typographic apostrophes become straight; `mr`, `mrs`, `dr` and `prof`, the signs
    `&`, `%` and `+` and numbers are spelled out: `3,200` as `three thousand two hundred`, `2nd`
    as `second`, `3.5` as `three point five`, more than twelve digits or a leading zero digit by
    digit. Then as `normalise_words`, so a hyphen separates words. Fillers and contractions stay.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("\u2018", "'")
    for symbol, spoken in _SYMBOLS.items():
        text = text.replace(symbol, spoken)
    text = _NUMBER.sub(lambda found: f" {_spoken(found)} ", _THOUSANDS.sub("", text))
    words = normalise_words(text).split()
    return " ".join(_WRITTEN_SHORT.get(word, word) for word in words)


def cardinal(number: int) -> str:
    """English words of a number from 0 to 10^12 - 1, without `and`."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return _joined(_TENS[tens], rest)
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return _joined(f"{_ONES[hundreds]} hundred", rest)
    size, name = next((size, name) for size, name in _SCALES if number >= size)
    count, rest = divmod(number, size)
    return _joined(f"{cardinal(count)} {name}", rest)


def _joined(words: str, rest: int) -> str:
    return f"{words} {cardinal(rest)}" if rest else words


def _spoken(found: re.Match[str]) -> str:
    whole, decimals = found["whole"], found["decimals"]
    if found["ordinal"]:
        return _ordinal(_whole(whole))
    return f"{_whole(whole)} point {_digits(decimals)}" if decimals else _whole(whole)


def _whole(digits: str) -> str:
    is_code = len(digits) > _LONGEST_NUMBER or (len(digits) > 1 and digits[0] == "0")
    return _digits(digits) if is_code else cardinal(int(digits))


def _digits(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)


def _ordinal(words: str) -> str:
    *before, last = words.split()
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return " ".join([*before, _ORDINALS.get(last, regular)])
