"""CBOR in core deterministic encoding (RFC 8949, section 4.2.1), and nothing else."""

DEEPEST = 16


class BadCbor(ValueError):
    """Not deterministic, cut off, too deep, or followed by something."""


class Other:
    """A tagged value, a simple value, a float, an inner map: only ever the value of a key that is ignored."""


def loads(data):
    value, end = _item(data, 0, 1)
    if end != len(data):
        raise BadCbor("something follows the metadata")
    return value


def _head(data, at):
    if at >= len(data):
        raise BadCbor("cut off")
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if low < 24:
        return major, low, low, at
    if low > 27:
        raise BadCbor("indefinite or reserved length")
    width = 1 << (low - 24)
    raw = data[at : at + width]
    if len(raw) < width:
        raise BadCbor("cut off")
    number = int.from_bytes(raw, "big")
    least = 24 if width == 1 else 1 << (4 * width)
    if major != 7 and number < least:
        raise BadCbor("a head is not the shortest")
    return major, low, number, at + width


def _item(data, at, depth):
    if depth > DEEPEST:
        raise BadCbor("nested too deep")
    major, low, number, at = _head(data, at)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        raw = data[at : at + number]
        if len(raw) < number:
            raise BadCbor("cut off")
        try:
            return (raw if major == 2 else raw.decode("utf-8")), at + number
        except UnicodeDecodeError:
            raise BadCbor("a text is not UTF-8") from None
    if number > len(data) - at and major in (4, 5):
        raise BadCbor("cut off")
    if major == 4:
        values = []
        for _ in range(number):
            value, at = _item(data, at, depth + 1)
            values.append(value)
        return values, at
    if major == 5:
        entries, at = _map(data, at, number, depth)
        return (dict(entries) if depth == 1 else Other()), at
    if major == 6:
        _, at = _item(data, at, depth + 1)
        return Other(), at
    _simple(low, number)
    return Other(), at


def _map(data, at, count, depth):
    entries, before = [], b""
    for _ in range(count):
        begin = at
        key, at = _item(data, at, depth + 1)
        if depth == 1 and not isinstance(key, str):
            raise BadCbor("a key is no text")
        encoded = data[begin:at]
        if encoded <= before:
            raise BadCbor("keys out of order, or one twice")
        before = encoded
        value, at = _item(data, at, depth + 1)
        entries.append((key, value))
    return entries, at


def _simple(low, number):
    if low == 24 and number < 32:
        raise BadCbor("a simple value is not the shortest")
    if low == 26 and _fits(number, 8, 23, 5, 10) or low == 27 and _fits(number, 11, 52, 8, 23):
        raise BadCbor("a float is not the shortest")


def _fits(bits, exponent_bits, mantissa_bits, short_exponent_bits, short_mantissa_bits):
    """Whether a float is exactly one of the next shorter form (IEEE 754), all its bits kept."""
    exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1)
    mantissa = bits & ((1 << mantissa_bits) - 1)
    lost = mantissa_bits - short_mantissa_bits
    if exponent == 0:
        return mantissa == 0
    if exponent == (1 << exponent_bits) - 1:
        return mantissa % (1 << lost) == 0
    unbiased = exponent - ((1 << exponent_bits - 1) - 1)
    bias = (1 << short_exponent_bits - 1) - 1
    if unbiased > bias:
        return False
    lost += max(1 - bias - unbiased, 0)
    return lost <= mantissa_bits and mantissa % (1 << lost) == 0
