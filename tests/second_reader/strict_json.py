"""JSON as the page wants it: one object, UTF-8, no BOM, no member twice, integers without fraction or exponent."""

import json
import re

WHITE = b" \t\r\n"


class NotJson(ValueError):
    """The text is no JSON at all."""


class BadJson(ValueError):
    """JSON, but against a rule of the page."""


class Fraction:
    """A number written with a fraction or an exponent, which no member of the page may be."""

    def __init__(self, text):
        self.value = float(text)


class Twice(dict):
    """An object in which a member occurs twice: it may be looked at, but not relied on."""


def _pairs(pairs):
    members = dict(pairs)
    return members if len(members) == len(pairs) else Twice(members)


def _no_constant(name):
    raise NotJson(f"{name} is no JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=Fraction, parse_constant=_no_constant)


def decode(data):
    """The value that `data` begins with, and how many bytes it and the white space around it take."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotJson("begins with a BOM")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # What follows the value need not be text where its length is not known.
        text = data[: error.start].decode("utf-8")
    begin = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, end = _decoder.raw_decode(text, begin)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None
    used = len(text[:end].encode())
    while data[used : used + 1] and data[used] in WHITE:
        used += 1
    return value, used


def loads(data):
    """The value that `data` is; a member that occurs twice is still let through (see `check`)."""
    value, used = decode(data)
    if used != len(data):
        raise NotJson("something follows the value")
    return value


def check(value):
    """Refuses a member that occurs twice, at any depth, and halves of surrogate pairs."""
    if isinstance(value, Twice):
        raise BadJson("a member occurs twice")
    if isinstance(value, dict):
        for key, inner in value.items():
            check(key)
            check(inner)
    elif isinstance(value, list):
        for inner in value:
            check(inner)
    elif isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise BadJson("half a surrogate pair")
