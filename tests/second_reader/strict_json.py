"""JSON as the page wants it: UTF-8, no BOM, no member twice, integers without sign, fraction or exponent."""

import json
import math
import re

DEEPEST = 127
WHITE = " \t\r\n"


class NotJson(ValueError):
    """The text is no JSON at all."""


class BadJson(ValueError):
    """JSON, but against a rule of the page."""


class OtherNumber:
    """A number written with a sign, a fraction or an exponent, which no member of the page may be."""


class Twice(dict):
    """An object in which a member occurs twice: it may be looked at, but not relied on."""


def _pairs(pairs):
    members = dict(pairs)
    return members if len(members) == len(pairs) else Twice(members)


def _other_number(text):
    if math.isinf(float(text)):
        raise NotJson("a number too large")
    return OtherNumber()


def _integer(text):
    return OtherNumber() if text.startswith("-") or len(text) > 20 and _other_number(text) else int(text)


def _no_constant(name):
    raise NotJson(f"{name} is no JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_other_number, parse_int=_integer, parse_constant=_no_constant
)


def decode(data):
    """The value that `data` begins with, and how many bytes are before its end."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # What follows the value need not be text where its length is not known.
        text = data[: error.start].decode("utf-8")
    begin = len(text) - len(text.lstrip(WHITE))
    try:
        value, end = _decoder.raw_decode(text, begin)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None
    _no_json(value, 1)
    return value, len(text[:end].encode())


def loads(data):
    """The value that `data` is; a member that occurs twice is still let through (see `check`)."""
    value, used = decode(data)
    if data[used:].strip(WHITE.encode()):
        raise NotJson("something follows the value")
    return value


def _no_json(value, depth):
    if isinstance(value, (dict, list)) and depth > DEEPEST:
        raise NotJson("nested too deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            _no_json(key, depth)
            _no_json(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _no_json(inner, depth + 1)
    elif isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise NotJson("half a surrogate pair")


def check(value):
    """Refuses a member that occurs twice, at any depth."""
    if isinstance(value, Twice):
        raise BadJson("a member occurs twice")
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            check(inner)
