"""Vectors that every reader opens."""

import base64
import hashlib
import random

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from writer import Export, Mail, Raw, Volume, certificate, frame, plaintext, cbor, private_key, raw_frame

FLAGS = ["seen", "answered", "flagged", "forwarded", "draft"]


def recipient(name):
    """The private key of a recipient, and the certificate and public key that an export is made for."""
    key = private_key(name)
    return key, (certificate(key, name), key.public_key())


def pem(der, columns=64):
    text = base64.b64encode(der).decode()
    lines = "".join(text[at : at + columns] + "\n" for at in range(0, len(text), columns))
    return f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n".encode()


def cases(case):
    return [*_protection(case), *_contents(case), *_headers(case), *_certificates(case)]


def _protection(case):
    key, own = recipient("recipient")
    eight = [recipient(f"recipient {number}")[1] for number in range(7)] + [own]
    plain, both = Export(), Export("Spreewald", [own])
    yield case.good("good-plain", "neither password nor recipient", Volume(plain))
    yield case.good("good-ignored-password", "cipher none: what is given to open it is ignored", Volume(plain), "x", key)
    yield case.good("good-password", "a password", Volume(Export("Spreewald")), "Spreewald")
    composed = Export("Lübbenau")
    yield case.good("good-password-nfd", "a password typed in NFD", Volume(composed), "Lu\u0308bbenau")
    yield case.good("good-recipient", "one recipient", Volume(Export(None, [own])), key=key)
    yield case.good("good-eight-recipients", "eight recipients, the last opens", Volume(Export(None, eight)), key=key)
    yield case.good("good-both-by-password", "password and recipient, opened by the password", Volume(both), "Spreewald")
    yield case.good("good-both-by-key", "password and recipient, opened by the key", Volume(both), key=key)
    yield case.good("good-both-wrong-password", "a wrong password, and the right key", Volume(both), "Lübben", key)
    costly = Export("p")
    costly.slots = [costly.password_slot("p", memory_kib=32, passes=10, lanes=4)]
    yield case.good("good-lanes", "the most lanes and passes, the least memory", Volume(costly), "p")


def _contents(case):
    plain, sealed = Export(), Export("p")
    copies = [Mail(b"one"), Mail(b"two"), Mail(b"one", 1, locations=[["bob"]]), Mail(b"two", 2), Mail(b"one", 1)]
    yield case.good("good-references", "mails that refer to earlier ones", Volume(sealed, copies), "p")
    yield case.good("good-no-mails", "an export without mails", Volume(plain, []))
    yield case.good("good-skipped", "mails that the source could not deliver", Volume(plain, skipped=7))
    yield case.good("good-empty-mail", "a mail of 0 bytes", Volume(sealed, [Mail(b""), Mail(b"x")]), "p")
    places = [["Müller", "Eingang/2020"], ["a\u0000b", "..", "\\"], ["u\u0308", "\U0001f4e7"], ["受信トレイ"]]
    yield case.good("good-locations", "locations in many scripts, kept as they are", Volume(sealed, [Mail(locations=places)]), "p")
    many = [["u", str(number)] for number in range(4096)]
    yield case.good("good-4096-locations", "the most locations", Volume(plain, [Mail(locations=many)]))
    dates = [-62_135_596_800, -1, 0, 253_402_300_799]
    dated = [Mail(metadata={"a": date, "d": -date - 1 if date == -1 else date, "s": "date"}) for date in dates]
    yield case.good("good-dates", "the first and last dates, and those around 1970", Volume(plain, dated))
    full = {"f": [*reversed(FLAGS), "seen", "pinned"], "k": "alice/1.eml", "s": "x-mailstore-date", "d": 1, "a": 2}
    yield case.good("good-all-keys", "every key, every flag, an unknown flag", Volume(plain, [Mail(metadata=full)]))
    items = [b"\xf6", b"\xf7", b"\xf8\xff", b"\xf9\x7e\x00", b"\xfa\x3f\x8c\xcc\xcd", b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"]
    unknown = {"": Raw(items[0]), "u": [Raw(item) for item in items], "zz": {1: "x", b"k": []}, "zzz": Raw(b"\xc1\x00")}
    unknown["v"] = Raw(b"\x81" * 14 + b"\x01")
    yield case.good("good-unknown-keys", "unknown keys with any values, nested 16 deep", Volume(plain, [Mail(metadata=unknown)]))
    yield from _frames(case)


def _frames(case):
    mail = Mail(b"Subject: a mail\r\n\r\nbody\r\n")
    length = len(mail.raw)
    bodies = {
        "good-frame-checksum": ("a frame with a checksum", frame(mail.raw, checksum=True)),
        "good-frame-raw-block": ("a frame with a block that is not compressed", raw_frame(0x20, bytes([length]), mail.raw)),
        "good-frame-dictionary-0": ("a frame whose dictionary id is 0", raw_frame(0x21, bytes([0, length]), mail.raw)),
        "good-frame-8-mib": (
            "a frame with a window of just 8 MiB",
            raw_frame(0x80, bytes([13 << 3, length, 0, 0, 0]), mail.raw),
        ),
    }
    for name, (about, body) in bodies.items():
        stored = plaintext(cbor(mail.members()), body)
        yield case.good(name, about, Volume(Export(), [mail], stored=lambda _, __, stored=stored: [stored]))


def _headers(case):
    plain, sealed = Export(), Export("p")
    future = {"future": {"a": [1.5, -1, None, True]}, "name": "Ünïcödé \"name\"\n", "created": "2026-12-31t23:59:60.5+23:59"}
    yield case.good("good-header-unknown-members", "members that are not known yet", Volume(plain, header=lambda h: h | future))
    slots = lambda h: h | {"key_slots": [{"type": "post-quantum", "x": 1}] * 12 + h["key_slots"]}  # noqa: E731
    yield case.good("good-header-unknown-slots", "key slots that are not known yet", Volume(sealed, header=slots), "p")
    deep = lambda data: data[:-1] + b',"x":' + b"[" * 126 + b"]" * 126 + b"}"  # noqa: E731
    yield case.good("good-header-127-deep", "JSON nested as deep as may be", Volume(plain, header_bytes=deep))
    white = Volume(plain, header_bytes=lambda data: b" \t" + data + b"\r\n ", seal_bytes=lambda data: b"\n" + data + b" ")
    yield case.good("good-white-space", "white space around header and seal", white)
    empty = Volume(plain, header=lambda h: h | {"key_slots": [], "key_check": None})
    yield case.good("good-no-slots", "cipher none with empty key slots and a key check that is null", empty)
    large = Volume(plain, header_bytes=lambda data: data[:-1] + b',"x":"' + b"x" * (65_536 - len(data) - 7) + b'"}')
    yield case.good("good-header-64-kib", "a header of just 64 KiB", large)


def _certificates(case):
    volume = Volume(Export())
    der = volume.export.certificate
    yield case.good("good-pem", "the certificate as PEM", volume, certificate=pem(der))
    crlf = b"a text before it\r\n" + pem(der).replace(b"\n", b"\r\n") + b"\r\n \n"
    yield case.good("good-pem-crlf", "PEM with CRLF and a text before it", volume, certificate=crlf)
    for name, about, other in (
        ("good-certificate-v1", "an X.509 certificate of version 1", _version_1(volume.export.key)),
        ("good-certificate-compressed", "a certificate with a compressed point", _compressed(volume.export.key)),
    ):
        named = Volume(Export(), header=lambda h, der=other: h | {"certificate_sha256": hashlib.sha256(der).hexdigest()})
        yield case.good(name, about, named, certificate=other)


def _der(tag, *contents):
    content = b"".join(contents)
    length = len(content)
    prefix = bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2)
    return bytes([tag]) + prefix + content


def _minimal(spki, version=b""):
    """No more of a certificate than what a reader walks past: empty names, no extensions, a signature of one byte."""
    empty = _der(0x30)
    signed = _der(0x30, version, _der(2, b"\x01"), empty, empty, empty, empty, spki)
    return _der(0x30, signed, empty, _der(3, b"\x00\x00"))


def _version_1(key):
    return _minimal(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _compressed(key):
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    algorithm = _der(0x30, bytes.fromhex("06072a8648ce3d020106082a8648ce3d030107"))
    return _minimal(_der(0x30, algorithm, _der(3, b"\x00", point)), _der(0xA0, _der(2, b"\x02")))


def large_cases(case):
    """Too large for the repository: made where they are needed."""
    sealed, plain = Export("p"), Export()
    noise = random.Random(1).randbytes
    overhead = len(Mail(noise(1 << 20)).plaintext()) - (1 << 20)
    around = [Mail(noise((1 << 20) - overhead + more)) for more in (-1, 0, 1)]
    assert [len(mail.plaintext()) - (1 << 20) for mail in around] == [-1, 0, 1]
    yield case.good("good-chunks", "plaintexts of one chunk, a byte less, a byte more", Volume(sealed, around), "p")
    big = [Mail(b"a"), Mail(noise(20 << 20)), Mail(b"b")]
    yield case.good("good-20-mib", "a mail of 21 chunks, too large to be held", Volume(sealed, big), "p")
    yield case.good("good-20-mib-plain", "the same with cipher none", Volume(plain, big))
    key = {"k": "k" * ((1 << 20) - len(cbor(Mail().members() | {"k": "k" * 70_000})) + 70_000)}
    assert len(cbor(Mail(metadata=key).members())) == 1 << 20
    yield case.good("good-metadata-1-mib", "metadata as large as may be", Volume(sealed, [Mail(metadata=key)]), "p")
    for mails in (65_530, 65_531):
        copies = [Mail(b"m"), *[Mail(b"m", 1)] * (mails - 1)]
        yield case.good(f"good-{mails}-mails", "just below or above where ZIP64 begins", Volume(plain, copies))
