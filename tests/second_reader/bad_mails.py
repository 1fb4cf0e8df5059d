"""Vectors of which one signed mail is damaged; the others stay good."""

import struct
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from writer import Export, Mail, Raw, Volume, cbor, frame, hkdf, plaintext, raw_frame, sha256

GOOD = Mail(b"Subject: another\r\n\r\nmail\r\n")
MAIL = Mail(b"Subject: a mail\r\n\r\nbody body body body\r\n")
LENGTH = len(MAIL.raw)
SKIPPABLE = b"\x50\x2a\x4d\x18" + bytes(4)


def cases(case):
    return [*_stored(case), *_chunks(case), *_metadata(case), *_values(case), *_frames(case), *_references(case)]


def _one(case, what, about, stored):
    """The first of two mails has these stored bytes."""
    volume = Volume(Export(), [MAIL, GOOD], stored=lambda all, _: [stored, all[1]])
    return case.good(f"mail-damaged-{what}", about, volume, damaged=[1])


def _stored(case):
    volume = Volume(Export("p"), [MAIL, GOOD])
    whole = volume.build()
    at = whole.index(b"mail/00000000001") + 16
    bit = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    yield case.good("mail-damaged-bit", "a bit of the stored bytes is another", volume, "p", damaged=[1], data=bit)
    swapped = Volume(Export("p"), [MAIL, GOOD], stored=lambda all, _: all[::-1])
    yield case.good("mail-damaged-swapped", "two mails have changed places", swapped, "p", damaged=[1, 2])
    cut = Volume(Export(), [GOOD, MAIL], catalogue=_longer)
    where = cut.build().index(b"mail/00000000002") - 30 + 18
    yield case.good("mail-damaged-beyond", "the last mail would lie beyond the end of the file", cut, damaged=[2], differs_at=where)
    for what, about, stored in (
        ("empty", "nothing is stored", b""),
        ("three-bytes", "no length of the metadata", b"\1\0\0"),
        ("metadata-cut", "the metadata are cut off", plaintext(cbor(MAIL.members()), b"")[:-1]),
        ("metadata-4-gib", "metadata of 4 GiB", b"\xff" * 20),
        ("metadata-large", "metadata of 1 MiB and a byte", struct.pack("<I", (1 << 20) + 1) + bytes(100)),
    ):
        yield _one(case, what, about, stored)


def _longer(catalogue):
    """The last mail is 10,000 bytes longer than it is."""
    at = len(catalogue) - 40
    length = struct.unpack_from("<Q", catalogue, at)[0] + 10_000
    return catalogue[:at] + struct.pack("<Q", length) + catalogue[at + 8 :]


def _chunks(case):
    export = Export("p")
    plain = MAIL.plaintext()

    def sealed(what, about, edit):
        volume = Volume(export, [MAIL, GOOD], stored=lambda all, header: [edit(header), all[1]])
        return case.good(f"mail-damaged-{what}", about, volume, "p", damaged=[1])

    def chunk(header, number=1, index=1 << 31, piece=plain, digest=None):
        key = hkdf(export.content_key, sha256(header), b"mszip 1 volume")
        return AESGCM(key).encrypt(struct.pack(">QI", number, index), piece, sha256(header) if digest is None else digest)

    yield sealed("tag", "a tag is wrong, though signed", lambda header: chunk(header)[:-1] + b"\0")
    yield sealed("number", "sealed as another mail", lambda header: chunk(header, number=2))
    yield sealed("no-final-chunk", "the only chunk is not marked as the final one", lambda header: chunk(header, index=0))
    yield sealed("chunk-number", "the only chunk is the second", lambda header: chunk(header, index=1 << 31 | 1))
    yield sealed("no-associated-data", "sealed without the hash of the header", lambda header: chunk(header, digest=b""))
    yield sealed("small-chunk", "a chunk of less than 1 MiB before the final one", lambda h: chunk(h, index=0, piece=plain[:40]) + chunk(h, index=1 << 31 | 1, piece=plain[40:]))
    yield sealed("empty-chunk", "a final chunk of 0 bytes", lambda header: chunk(header, piece=b""))
    yield sealed("not-sealed", "not encrypted at all", lambda _: plain)
    yield sealed("sixteen-bytes", "as short as a tag", lambda header: chunk(header)[:16])


def _metadata(case):
    """The encoding is not the one allowed."""
    body, members = frame(MAIL.raw), MAIL.members()
    good = cbor(members)
    h, rest = good[1:37], good[37:]

    def encoded(what, about, data):
        return _one(case, what, about, plaintext(data, body))

    def with_unknown(what, about, item):
        return encoded(what, about, cbor(members | {"z": Raw(item)}))

    assert h.startswith(b"\x61h\x58\x20")
    yield encoded("cbor-none", "metadata of 0 bytes", b"")
    yield encoded("cbor-array", "the metadata are an array", b"\x80")
    yield encoded("cbor-trailing", "something follows the map", good + b"\0")
    yield encoded("cbor-indefinite-map", "a map of indefinite length", b"\xbf" + good[1:] + b"\xff")
    yield encoded("cbor-order", "keys out of order", good[:1] + rest + h)
    yield encoded("cbor-twice", "a key occurs twice", b"\xa4" + h + h + rest)
    yield encoded("cbor-long-head", "a length that is not the shortest", good.replace(b"\x58\x20", b"\x59\x00\x20"))
    yield encoded("cbor-long-integer", "an integer that is not the shortest", cbor(members | {"n": Raw(b"\x19\x00" + bytes([LENGTH]))}))
    yield encoded("cbor-integer-key", "a key that is an integer", b"\xa4\x01\x01" + good[1:])
    yield encoded("cbor-bytes-key", "a key that is a byte string", b"\xa4\x41a\x01" + good[1:])
    yield encoded("cbor-count", "a map of 2^64 - 1 keys", b"\xbb" + b"\xff" * 8 + good[1:])
    yield with_unknown("cbor-indefinite-text", "a text of indefinite length", b"\x7f\x61a\xff")
    yield with_unknown("cbor-not-utf8", "a text that is no UTF-8", b"\x61\xff")
    yield with_unknown("cbor-deep", "nested 17 deep", b"\x81" * 15 + b"\1")
    yield with_unknown("cbor-very-deep", "nested 10,000 deep", b"\x81" * 10_000 + b"\1")
    yield with_unknown("cbor-tags-deep", "tags nested 17 deep", b"\xc1" * 15 + b"\1")
    yield with_unknown("cbor-long-float", "a float that a shorter one holds", b"\xfa\x3f\x80\x00\x00")
    yield with_unknown("cbor-long-nan", "a NaN that a shorter one holds", b"\xfb\x7f\xf8" + bytes(6))
    yield with_unknown("cbor-simple", "a simple value that is not the shortest", b"\xf8\x16")
    yield with_unknown("cbor-reserved", "a reserved head", b"\x1c")
    yield with_unknown("cbor-inner-order", "keys of an inner map out of order", b"\xa2\x61b\x01\x61a\x01")
    yield with_unknown("cbor-array-count", "an array of 2^64 - 1 items", b"\x9b" + b"\xff" * 8)
    yield with_unknown("cbor-text-length", "a text of 2^63 bytes", b"\x7b\x80" + bytes(7))


def _values(case):
    body = frame(MAIL.raw)

    def changed(what, about, **members):
        return _one(case, what, about, plaintext(cbor(MAIL.members() | members), body))

    for name in ("h", "l", "n"):
        members = {key: value for key, value in MAIL.members().items() if key != name}
        yield _one(case, f"no-{name}", f"the metadata have no {name}", plaintext(cbor(members), body))
    yield changed("hash", "the hash of the raw message is another", h=sha256(b""))
    yield changed("hash-short", "a hash of 31 bytes", h=bytes(31))
    yield changed("hash-text", "a hash as a text", h="a" * 32)
    yield changed("length", "the length of the raw message is another", n=LENGTH + 1)
    yield changed("length-negative", "a negative length", n=-1)
    yield changed("length-4-gib", "a length of 4 GiB", n=1 << 32)
    yield changed("length-2-to-64", "a length of 2^64 - 1", n=(1 << 64) - 1)
    yield changed("no-locations", "no location", l=[])
    yield changed("location-empty", "a location without segments", l=[["a"], []])
    yield changed("segment-empty", "an empty segment", l=[["a", ""]])
    yield changed("segment-bytes", "a segment that is a byte string", l=[[b"a"]])
    yield changed("location-text", "a location that is a text", l=["a"])
    yield changed("4097-locations", "one location too many", l=[["u"]] * 4097)
    yield changed("date-year-0", "a date in the year 0", d=-62_135_596_801)
    yield changed("date-year-10000", "a date in the year 10000", a=253_402_300_800)
    yield changed("date-text", "a date as a text", d="2026")
    yield changed("date-null", "a date that is null", d=Raw(b"\xf6"))
    yield changed("date-float", "a date that is a float", d=Raw(b"\xf9\x3c\x00"))
    yield changed("date-2-to-64", "a date of -2^64", d=Raw(b"\x3b" + b"\xff" * 8))
    yield changed("flags-text", "flags as a text", f="seen")
    yield changed("flag-number", "a flag that is a number", f=[1])
    yield changed("source-key-number", "a source key that is a number", k=1)
    yield changed("date-source-bytes", "a date source that is a byte string", s=b"date")
    yield changed("reference-text", "a reference as a text", r="1")


def _frames(case):
    good, n = frame(MAIL.raw), LENGTH

    def body(what, about, data):
        return _one(case, what, about, plaintext(cbor(MAIL.members()), data))

    yield body("frame-none", "no frame", b"")
    yield body("frame-cut", "the frame is cut off", good[:-1])
    yield body("frame-trailing", "a byte after the frame", good + b"\0")
    yield body("frame-two", "two frames", good + frame(b""))
    yield body("frame-skippable-after", "a skippable frame after the frame", good + SKIPPABLE)
    yield body("frame-skippable-before", "a skippable frame before the frame", SKIPPABLE + good)
    yield body("frame-raw", "the raw message is not compressed", MAIL.raw)
    yield body("frame-no-size", "no content size", raw_frame(0x00, b"\0", MAIL.raw))
    yield body("frame-dictionary", "a dictionary", raw_frame(0x21, bytes([7, n]), MAIL.raw))
    yield body("frame-window", "a window of more than 8 MiB", raw_frame(0x80, bytes([13 << 3 | 1, n, 0, 0, 0]), MAIL.raw))
    yield body("frame-window-2-tib", "the largest window there is", raw_frame(0x80, bytes([31 << 3, n, 0, 0, 0]), MAIL.raw))
    yield body("frame-reserved", "the reserved bit", raw_frame(0x28, bytes([n]), MAIL.raw))
    yield body("frame-block-type", "a block of the reserved type", raw_frame(0x20, bytes([n]), MAIL.raw).replace(struct.pack("<I", n << 3 | 1)[:3], struct.pack("<I", n << 3 | 7)[:3]))
    yield body("frame-block-cut", "a block that is cut off", raw_frame(0x20, bytes([n]), MAIL.raw)[:-5])
    yield body("frame-short", "less than the content size", raw_frame(0x20, bytes([n]), MAIL.raw[:-1]))
    yield body("frame-long", "more than the content size", raw_frame(0x20, bytes([n]), MAIL.raw + b"x"))
    checked = frame(MAIL.raw, checksum=True)
    yield body("frame-checksum", "a checksum that does not hold", checked[:-1] + bytes([checked[-1] ^ 1]))
    yield body("frame-other", "another message of the same length", frame(b"x" * n))
    yield body("frame-other-size", "another content size, and another message", frame(b"x" * (n + 1)))
    bomb = bytes(64 << 20)
    yield body("frame-bomb", "64 MiB of zeros in a few kilobytes", frame(bomb))
    stated = MAIL.members() | {"n": len(bomb)}
    window = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(bomb)) + frame(bomb)[9:]
    yield _one(case, "frame-one-segment", "one segment of 64 MiB, so that is the window", plaintext(cbor(stated), window))


def _references(case):
    first, third = Mail(b"one"), Mail(b"one", 1)

    def volume(what, about, mails, damaged):
        return case.good(f"mail-damaged-{what}", about, Volume(Export(), mails), damaged=damaged)

    yield volume("reference-self", "a reference to itself", [first, Mail(b"one", 2)], [2])
    yield volume("reference-later", "a reference to a later mail", [Mail(b"one", 2), first], [1])
    yield volume("reference-missing", "a reference to a mail that is not there", [first, Mail(b"one", 9)], [2])
    yield volume("reference-chain", "a reference to a reference", [first, third, Mail(b"one", 2)], [3])
    yield volume("reference-other-hash", "a reference to another message", [first, Mail(b"two", 1)], [2])
    length = Mail(b"one", 1, metadata={"n": 4})
    yield volume("reference-other-length", "a reference with another length", [first, length], [2])
    zero = replace(GOOD, metadata={"r": 0})
    yield volume("reference-0", "a reference to mail 0", [zero, first], [1])
    framed = Volume(Export(), [first, third], stored=lambda all, _: [all[0], all[1] + frame(b"one")])
    yield case.good("mail-damaged-reference-frame", "a reference with a frame", framed, damaged=[2])
    target = Volume(Export(), [first, third, GOOD], stored=lambda all, _: [all[0] + b"\0", *all[1:]])
    yield case.good("mail-damaged-reference-target", "a reference to a damaged mail", target, damaged=[1, 2])
    one = Volume(Export(), [first], last=False)
    two = Volume(Export(), [third, GOOD], number=2, before=one)
    made = case.good("mail-damaged-reference-volume", "a reference to a mail of the volume before", two, damaged=[2])
    made.missing, made.complete = [1], False
    yield made
