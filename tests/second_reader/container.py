"""The ZIP around it all: where things lie, and how every byte of it follows from the entries."""

import struct
import zlib
from dataclasses import dataclass

import strict_json
from errors import Refused

HEADER_LONGEST = 64 * 1024
SEAL_LONGEST = 16 * 1024
SIGNATURE_LONGEST = 72
CATALOGUE_LONGEST = 40_000_016
FILE_LONGEST = 4_294_967_295
ZIP64_FROM = 65_535
HEADER_AT = 41
HEAD = HEADER_AT + HEADER_LONGEST
TAIL = (b"catalogue", b"seal.json", b"seal.sig")


@dataclass
class Located:
    """What step 1 finds."""

    header_bytes: bytes
    catalogue: bytes
    seal: bytes
    signature: bytes
    directory_leads: bool


def locate(data):
    """Step 1, in the order of the errors up to `over_limit`."""
    if data[:4] != b"PK\x03\x04" or data[26:28] != b"\x0b\x00" or data[30:HEADER_AT] != b"header.json":
        raise Refused("not_a_volume", "byte 0 is no local header of header.json")
    length = _header_length(data)
    end = len(data) - 22
    if end < 0 or data[end : end + 4] != b"PK\x05\x06":
        raise Refused("truncated", "the last 22 bytes are no end record")
    if len(data) > FILE_LONGEST:
        raise Refused("over_limit", "the file is longer than 4,294,967,295 bytes")
    if length > HEADER_LONGEST:
        raise Refused("over_limit", "header.json is longer than 64 KiB")
    parts = _tail(data, end)
    return Located(data[HEADER_AT : HEADER_AT + length], *(parts or (b"", b"", b"")), parts is not None)


def _header_length(data):
    """Checks format and version, and finds the first length after which an entry begins."""
    head = data[:HEAD]
    lengths = list(struct.unpack_from("<II", data, 18))
    try:
        header, used = strict_json.decode(head[HEADER_AT:])
    except strict_json.NotJson:
        pass
    else:
        _check_version(header)
        lengths.append(used)
    return next((length for length in lengths if head[HEADER_AT + length :][:4] == b"PK\x03\x04"), lengths[0])


def _check_version(header):
    if not isinstance(header, dict) or header.get("format") != "mszip":
        raise Refused("not_a_volume", "the format is not mszip")
    version = header.get("version")
    if isinstance(version, (int, strict_json.OtherNumber)) and not isinstance(version, bool) and version != 1:
        raise Refused("newer_version", "the version is another number than 1")


def _tail(data, end):
    """Catalogue, seal and signature by the last three directory records; None where these lead nowhere."""
    for zip64 in (0, 76):
        records = data[max(end - zip64 - 164, 0) : end - zip64]
        found = _records(records)
        if found:
            break
    else:
        return None
    for (_, length), limit, name in zip(found, (CATALOGUE_LONGEST, SEAL_LONGEST, SIGNATURE_LONGEST), TAIL):
        if length > limit:
            raise Refused("over_limit", f"{name.decode()} has {length} bytes")
    parts = []
    place = found[0][0]
    directory_end = end - zip64 - 164
    for (at, length), name in zip(found, TAIL):
        begin = at + 30 + len(name)
        if at != place or begin <= HEADER_AT or begin + length > directory_end:
            return None
        place = begin + length
        parts.append(data[begin:place])
    return parts


def _records(records):
    found, at = [], 0
    for name in TAIL:
        if records[at : at + 4] != b"PK\x01\x02" or records[at + 46 : at + 46 + len(name)] != name:
            return None
        found.append((struct.unpack_from("<I", records, at + 42)[0], struct.unpack_from("<I", records, at + 20)[0]))
        at += 46 + len(name)
    return found


@dataclass
class Entry:
    """What the container says of one entry; `content` is None where it is not compared."""

    name: bytes
    length: int
    crc32: int
    content: bytes | None = None

    @staticmethod
    def of(name, content):
        return Entry(name, len(content), zlib.crc32(content), content)


def stated_crc32(data, content_at, name):
    """The checksum in the local header of the entry whose content begins there; None beyond the end of the file."""
    raw = data[content_at - len(name) - 16 : content_at - len(name) - 12]
    return int.from_bytes(raw, "little") if len(raw) == 4 else None


def first_difference(data, entries):
    """Step 4: where `data` first differs from the container made anew of `entries`."""
    at, directory, found = 0, [], []
    for entry in entries:
        fields = struct.pack(
            "<HHHHHIIIHH", 10, 0, 0, 0, 0x21, entry.crc32, entry.length, entry.length, len(entry.name), 0
        )
        local = b"PK\x03\x04" + fields + entry.name
        found.append(_differs(data, at, local))
        directory += [b"PK\x01\x02", struct.pack("<H", 0x030A), fields[:24], bytes(8)]
        directory += [struct.pack("<II", 0x81A40000, at & 0xFFFFFFFF), entry.name]
        at += len(local)
        if entry.content is not None:
            found.append(_differs(data, at, entry.content))
        at += entry.length
    directory = b"".join(directory)
    tail = directory + _end(len(entries), len(directory), at)
    found.append(_differs(data, at, tail))
    if at + len(tail) != len(data):
        found.append(min(at + len(tail), len(data)))
    return min((place for place in found if place is not None), default=None)


def _end(count, length, at):
    if count < ZIP64_FROM:
        return b"PK\x05\x06" + struct.pack("<IHHIIH", 0, count, count, length, at & 0xFFFFFFFF, 0)
    zip64 = b"PK\x06\x06" + struct.pack("<QHHQQQQQ", 44, 45, 45, 0, count, count, length, at)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, at + length, 1)
    marks = struct.pack("<IHHIIH", 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return zip64 + locator + b"PK\x05\x06" + marks


def _differs(data, at, wanted):
    found = data[at : at + len(wanted)]
    if found == wanted:
        return None
    for index, byte in enumerate(found):
        if byte != wanted[index]:
            return at + index
    return at + len(found)
