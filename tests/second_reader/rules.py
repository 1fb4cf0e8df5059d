"""The rules of the page for header.json, seal.json and the catalogue, once these are known to be signed."""

import base64
import binascii
import calendar
import re
import struct

import strict_json
from errors import Refused

HEX = re.compile(r"[0-9a-f]{64}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))", re.ASCII)
HPKE = "hpke-dhkem-p256-hkdf-sha256-aes256gcm"
LAST_NUMBER = 99_999_999_999
MOST_MAILS = 1_000_000
MOST_VOLUMES = 1_000_000
LONGEST_VOLUME = 4_294_967_295


def malformed(reason):
    return Refused("malformed", reason)


def parse(data, what):
    """One JSON object of a signed entry."""
    try:
        value = strict_json.loads(data)
        strict_json.check(value)
    except (strict_json.NotJson, strict_json.BadJson) as error:
        raise malformed(f"{what}: {error}") from None
    if not isinstance(value, dict):
        raise malformed(f"{what} is no object")
    return value


def text(value, name, pattern=None):
    if not isinstance(value.get(name), str) or (pattern and not pattern.fullmatch(value[name])):
        raise malformed(f"{name} is not as it must be")
    return value[name]


def integer(value, name, least=0, most=(1 << 53) - 1):
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
        raise malformed(f"{name} is not as it must be")
    return number


def b64(value, name, length):
    try:
        raw = base64.b64decode(text(value, name), validate=True)
    except (binascii.Error, ValueError):
        raise malformed(f"{name} is no base64") from None
    if len(raw) != length or base64.b64encode(raw).decode() != value[name]:
        raise malformed(f"{name} is not as it must be")
    return raw


def check_header(header):
    integer(header, "version", 1, 1)
    text(header, "export_id", UUID)
    text(header, "name")
    integer(header, "volume", 1, MOST_VOLUMES)
    _time(text(header, "created"))
    text(header, "generator")
    text(header, "certificate_sha256", HEX)
    b64(header, "salt", 32)
    slots = header.get("key_slots")
    if header.get("cipher") == "none":
        if header.get("key_slots", []) != [] or header.get("key_check") is not None:
            raise malformed("keys without a cipher")
    elif header.get("cipher") == "aes-256-gcm":
        b64(header, "key_check", 32)
        _slots(slots)
    else:
        raise malformed("cipher is unknown")


def _slots(slots):
    if not isinstance(slots, list) or not slots:
        raise malformed("key_slots is not as it must be")
    kinds = [_slot(slot) for slot in slots]
    if kinds.count("password") > 1 or kinds.count("recipient") > 8:
        raise malformed("too many key slots")


def _slot(slot):
    if not isinstance(slot, dict):
        raise malformed("a key slot is no object")
    kind = text(slot, "type")
    if kind == "password":
        text(slot, "kdf", re.compile("argon2id"))
        lanes = integer(slot, "lanes", 1, 4)
        integer(slot, "memory_kib", 8 * lanes, 262_144)
        integer(slot, "passes", 1, 10)
        b64(slot, "salt", 16)
        b64(slot, "wrapped_key", 48)
    elif kind == "recipient":
        text(slot, "suite", re.compile(HPKE))
        text(slot, "certificate_sha256", HEX)
        b64(slot, "encapsulated_key", 65)
        b64(slot, "wrapped_key", 48)
    return kind


def _time(value):
    parts = TIME.fullmatch(value)
    if parts:
        year, month, day, hour, minute, second, ahead, aside = (int(part or 0) for part in parts.groups())
        leap = calendar.isleap(year)
        days = (31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
        if 1 <= month <= 12 and 1 <= day <= days[month - 1] and hour <= 23 and minute <= 59 and second <= 60:
            if ahead <= 23 and aside <= 59:
                return
    raise malformed("created is no time")


def check_seal(seal):
    text(seal, "export_id", UUID)
    text(seal, "header_sha256", HEX)
    text(seal, "catalogue_sha256", HEX)
    volume = integer(seal, "volume", 1, MOST_VOLUMES)
    first = integer(seal, "first_mail", 1, LAST_NUMBER + 1)
    mails = integer(seal, "mails", 0, MOST_MAILS)
    raw_bytes = integer(seal, "raw_bytes")
    skipped = integer(seal, "skipped")
    if first - 1 + mails > LAST_NUMBER:
        raise malformed("mail numbers run too far")
    if volume == 1 and (first != 1 or seal.get("previous_seal_sha256", "absent") is not None):
        raise malformed("volume 1 does not begin the export")
    if volume > 1:
        text(seal, "previous_seal_sha256", HEX)
    if seal.get("last") is True:
        if integer(seal, "volumes") != volume or integer(seal, "total_mails") != first - 1 + mails:
            raise malformed("the totals do not fit")
        for total, own in (("total_raw_bytes", raw_bytes), ("total_skipped", skipped)):
            number = integer(seal, total)
            if number < own or (volume == 1 and number != own):
                raise malformed("the totals do not fit")
    elif seal.get("last") is not False or any(
        seal.get(total) is not None for total in ("volumes", "total_mails", "total_raw_bytes", "total_skipped")
    ):
        raise malformed("last is not as it must be")


def check_catalogue(catalogue, seal, header_length):
    """The stored length and the hash of each mail, in order."""
    if len(catalogue) < 16:
        raise malformed("the catalogue is cut off")
    first, count = struct.unpack_from("<QQ", catalogue)
    if first != seal["first_mail"] or count != seal["mails"] or len(catalogue) != 16 + 40 * count:
        raise malformed("catalogue and seal do not agree")
    mails = list(struct.iter_unpack("<Q32s", catalogue[16:]))
    if 41 + header_length + sum(46 + length for length, _ in mails) > LONGEST_VOLUME:
        raise malformed("the mails of the catalogue do not fit into a volume")
    return mails
