"""Vectors that are signed but break a rule for header, seal or catalogue, or that are not opened by what is given."""

import struct

from good import recipient
from writer import Export, Mail, Volume, b64, private_key


def cases(case):
    return [*_headers(case), *_protection(case), *_seals(case), *_catalogues(case), *_locked(case)]


def _headers(case):
    def changed(what, about, **members):
        return case.refused("malformed", what, about, Volume(Export(), header=lambda h: h | members))

    def without(name):
        header = lambda h: {key: value for key, value in h.items() if key != name}  # noqa: E731
        return case.refused("malformed", f"no-{name}", f"the header has no {name}", Volume(Export(), header=header))

    yield from map(without, ("version", "export_id", "name", "volume", "created", "generator", "cipher", "salt"))
    yield without("certificate_sha256")
    yield changed("version-text", "version is a text", version="1")
    yield changed("export-id-case", "export_id in upper case", export_id="0190D9E2-7C3A-7000-8000-000000000001")
    yield changed("export-id-short", "export_id is no UUID", export_id="0190d9e2")
    yield changed("volume-0", "volume 0", volume=0)
    yield changed("volume-1000001", "volume 1,000,001", volume=1_000_001)
    yield changed("volume-fraction", "volume 1.0", volume=1.0)
    yield changed("volume-text", "volume is a text", volume="1")
    yield changed("volume-true", "volume is true", volume=True)
    yield changed("created-word", "created is no time", created="yesterday")
    yield changed("created-day", "created on 29 February 2026", created="2026-02-29T00:00:00Z")
    yield changed("created-space", "created with a space", created="2026-02-28 00:00:00Z")
    yield changed("created-zone", "created without a zone", created="2026-02-28T00:00:00")
    yield changed("created-hour", "created at 24:00", created="2026-02-28T24:00:00Z")
    yield changed("salt-short", "a salt of 31 bytes", salt=b64(bytes(31)))
    yield changed("salt-loose", "base64 with unused bits set", salt="A" * 42 + "B=")
    yield changed("salt-unpadded", "base64 without padding", salt="A" * 43)
    yield changed("salt-url", "base64 of the URL alphabet", salt="_" * 42 + "8=")
    yield changed("hash-case", "a hash in upper case", certificate_sha256="AB" * 32)
    yield changed("name-number", "name is a number", name=5)
    edits = (
        ("member-twice", "a member of the header occurs twice", lambda data: b'{"name":"x",' + data[1:]),
        ("member-twice-deep", "a member occurs twice, in a member that is not known", lambda data: data[:-1] + b',"x":[{"a":1,"a":1}]}'),
        ("volume-minus-0", "an integer with a sign", lambda data: data.replace(b'"volume":1', b'"volume":-0')),
        ("volume-exponent", "an integer with an exponent", lambda data: data.replace(b'"volume":1', b'"volume":1e0')),
    )
    for what, about, edit in edits:
        yield case.refused("malformed", what, about, Volume(Export(), header_bytes=edit))


def _protection(case):
    _, own = recipient("recipient")

    def header(what, about, edit, export=None):
        return case.refused("malformed", what, about, Volume(export or Export("p"), header=edit), "p")

    def slot(what, about, **members):
        return header(what, about, lambda h: h | {"key_slots": [h["key_slots"][0] | members]})

    def recipient_slot(what, about, **members):
        edit = lambda h: h | {"key_slots": [h["key_slots"][0] | members]}  # noqa: E731
        return header(what, about, edit, Export(None, [own]))

    yield header("cipher", "a cipher that is not known", lambda h: h | {"cipher": "aes-256-cbc"})
    yield header("none-with-slots", "cipher none with key slots", lambda h: h | {"cipher": "none"})
    yield header("none-with-check", "cipher none with a key check", lambda h: h | {"key_check": b64(bytes(32))}, Export())
    yield header("none-null-slots", "key slots that are null", lambda h: h | {"key_slots": None}, Export())
    yield header("no-slots", "no key slot", lambda h: h | {"key_slots": []})
    yield header("no-key-check", "no key check", lambda h: h | {"key_check": None})
    yield header("two-passwords", "two password slots", lambda h: h | {"key_slots": h["key_slots"] * 2})
    yield header("nine-recipients", "nine recipient slots", lambda h: h | {"key_slots": h["key_slots"] * 9}, Export(None, [own]))
    yield header("slot-type", "a key slot without a type", lambda h: h | {"key_slots": [*h["key_slots"], {"x": 1}]})
    yield header("slot-text", "a key slot that is a text", lambda h: h | {"key_slots": [*h["key_slots"], "password"]})
    yield slot("kdf", "a derivation that is not known", kdf="scrypt")
    yield slot("kdf-memory", "256 MiB and 1 KiB of memory", memory_kib=262_145)
    yield slot("kdf-memory-4-tib", "4 TiB of memory", memory_kib=0xFFFFFFFF)
    yield slot("kdf-little-memory", "less than 8 KiB a lane", memory_kib=31, lanes=4)
    yield slot("kdf-passes", "eleven passes", passes=11)
    yield slot("kdf-no-passes", "no pass", passes=0)
    yield slot("kdf-lanes", "five lanes", lanes=5, memory_kib=64)
    yield slot("kdf-salt", "a slot's salt of 8 bytes", salt=b64(bytes(8)))
    yield slot("wrapped-key", "a wrapped key of 32 bytes", wrapped_key=b64(bytes(32)))
    yield recipient_slot("suite", "a suite that is not known", suite="hpke-dhkem-x25519-hkdf-sha256-aes256gcm")
    yield recipient_slot("encapsulated-key", "an encapsulated key of 33 bytes", encapsulated_key=b64(bytes(33)))
    yield recipient_slot("recipient-hash", "the hash of a recipient is too short", certificate_sha256="ab")


def _seals(case):
    def changed(what, about, **members):
        return case.refused("malformed", what, about, Volume(Export(), seal=lambda s: s | members))

    def without(name):
        seal = lambda s: {key: value for key, value in s.items() if key != name}  # noqa: E731
        return case.refused("malformed", f"seal-no-{name}", f"the seal has no {name}", Volume(Export(), seal=seal))

    required = ("export_id", "volume", "header_sha256", "catalogue_sha256", "first_mail", "mails", "raw_bytes", "skipped")
    totals = ("volumes", "total_mails", "total_raw_bytes", "total_skipped")
    yield from map(without, (*required, "previous_seal_sha256", "last", *totals))
    yield changed("seal-export", "header and seal name different exports", export_id="0190d9e2-7c3a-7000-8000-000000000002")
    yield changed("seal-volume", "header and seal name different volumes", volume=2)
    yield changed("seal-hash-case", "a hash of the seal in upper case", header_sha256="AB" * 32)
    yield changed("seal-first-mail-0", "mail numbers begin with 0", first_mail=0)
    yield changed("seal-first-mail-2", "volume 1 begins with mail 2", first_mail=2)
    yield changed("seal-mails", "more mails than the catalogue has", mails=2, total_mails=2)
    yield changed("seal-mails-1000001", "1,000,001 mails", mails=1_000_001, total_mails=1_000_001)
    yield changed("seal-mails-2-to-63", "2^63 mails", mails=1 << 63, total_mails=1 << 63)
    yield changed("seal-mails-fraction", "the number of mails with a fraction", mails=1.0)
    yield changed("seal-skipped-negative", "less than nothing skipped", skipped=-1)
    yield changed("seal-raw-bytes-2-to-53", "raw_bytes is 2^53", raw_bytes=1 << 53, total_raw_bytes=1 << 53)
    yield changed("seal-raw-bytes", "raw_bytes is not the sum of the mails", raw_bytes=23, total_raw_bytes=23)
    yield changed("seal-raw-bytes-less", "raw_bytes is less than the mails", raw_bytes=21, total_raw_bytes=21)
    yield changed("seal-previous", "volume 1 names a seal before it", previous_seal_sha256="0" * 64)
    yield changed("seal-last-number", "last is a number", last=1)
    yield changed("seal-totals-not-last", "totals on a volume that is not the last", last=False)
    yield changed("seal-volumes", "the last volume says that there are two", volumes=2)
    yield changed("seal-total-mails", "total_mails does not fit the mail numbers", total_mails=2)
    yield changed("seal-total-less", "a total that is less than the volume's own number", total_raw_bytes=21)
    yield changed("seal-total-more", "a total of an only volume that is more", total_skipped=1)
    edits = (
        ("seal-no-json", "the seal is no JSON", lambda data: data[:-1]),
        ("seal-array", "the seal is an array", lambda data: b"[" + data + b"]"),
        ("seal-member-twice", "a member of the seal occurs twice", lambda data: b'{"mails":1,' + data[1:]),
    )
    for what, about, edit in edits:
        yield case.refused("malformed", what, about, Volume(Export(), seal_bytes=edit))
    first = Volume(Export(), last=False)
    second = lambda **members: Volume(Export(), number=2, before=first, seal=lambda s: s | members)  # noqa: E731
    yield case.refused("malformed", "seal-no-previous", "volume 2 names no seal before it", second(previous_seal_sha256=None))
    high = second(first_mail=99_999_999_999 + 1, total_mails=99_999_999_999 + 1)
    yield case.refused("malformed", "seal-mail-number", "a mail number of twelve digits", high)


def _catalogues(case):
    def changed(what, about, edit):
        return case.refused("malformed", what, about, Volume(Export(), catalogue=edit))

    yield changed("catalogue-empty", "a catalogue of 0 bytes", lambda _: b"")
    yield changed("catalogue-short", "the catalogue is cut off", lambda data: data[:-1])
    yield changed("catalogue-long", "something follows the catalogue", lambda data: data + b"\0")
    yield changed("catalogue-first", "the catalogue begins with another mail", lambda data: b"\2" + data[1:])
    yield changed("catalogue-count", "the catalogue counts two mails", lambda data: data[:8] + b"\2" + data[9:])
    yield changed("catalogue-count-2-to-63", "the catalogue counts 2^63 mails", lambda data: data[:15] + b"\x80" + data[16:])
    for what, about, length in (
        ("catalogue-4-gib", "a mail of which the length is just too large", 4_294_967_295 - 100),
        ("catalogue-2-to-64", "a mail of 2^64 - 1 bytes", (1 << 64) - 1),
    ):
        yield changed(what, about, lambda data, length=length: data[:16] + struct.pack("<Q", length) + data[24:])
    two = Volume(Export(), [Mail(), Mail()], catalogue=lambda data: data[:16] + b"\xff" * 8 + data[24:])
    yield case.refused("malformed", "catalogue-overflow", "lengths of which the sum wraps around", two)


def _locked(case):
    key, own = recipient("recipient")
    stranger = private_key("a stranger")
    password, sealed, both = Volume(Export("p")), Volume(Export(None, [own])), Volume(Export("p", [own]))
    yield case.refused("password_needed", "", "a password is needed", password)
    yield case.refused("password_needed", "both", "a password or a key is needed", both)
    yield case.refused("password_needed", "key", "a key is given where only a password opens", password, key=key)
    yield case.refused("recipient_key_needed", "", "the key of a recipient is needed", sealed)
    yield case.refused("recipient_key_needed", "password", "a password is given where only a key opens", sealed, "p")
    unknown = lambda h: h | {"key_slots": [{"type": "post-quantum"}]}  # noqa: E731
    yield case.refused("recipient_key_needed", "unknown-slot", "the only key slot is not known", Volume(Export("p"), header=unknown), "p", key)
    yield case.refused("wrong_password", "", "a wrong password", password, "P")
    yield case.refused("wrong_password", "empty", "a password of 0 bytes", password, "")
    yield case.refused("wrong_password", "long", "a password of 1,025 bytes", password, "p" * 1025)
    yield case.refused("wrong_password", "both", "a wrong password and a wrong key", both, "P", stranger)
    other = Export("p")
    other.slots = [other.password_slot("p", key=bytes(32))]
    yield case.refused("wrong_password", "key-check", "the slot holds another key than the key check commits to", Volume(other), "p")
    associated = Export("p")
    associated.slots = Export("p", export_id="0190d9e2-7c3a-7000-8000-000000000002").slots
    yield case.refused("wrong_password", "other-export", "a slot that was moved here from another export", Volume(associated), "p")
    yield case.refused("wrong_recipient_key", "", "the key of somebody else", sealed, key=stranger)
    off_curve = lambda h: h | {"key_slots": [h["key_slots"][0] | {"encapsulated_key": b64(b"\4" + bytes(64))}]}  # noqa: E731
    yield case.refused("wrong_recipient_key", "off-curve", "an encapsulated key that is no point of the curve", Volume(Export(None, [own]), header=off_curve), key=key)
