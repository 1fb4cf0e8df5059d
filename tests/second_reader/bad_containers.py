"""Vectors with something wrong from the first byte to the signature, and with damage that costs nothing."""

import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from good import pem
from writer import ORDER, Export, Mail, Volume, certificate, container, private_key


def cases(case):
    return [*_first_bytes(case), *_bounds(case), *_certificates(case), *_signatures(case), *_changed(case), *_damage(case)]


def _put(at, data):
    """Writes over some bytes of the file; a negative place is counted from its end."""
    return lambda file: file[: at % len(file)] + data + file[at % len(file) + len(data) :]


def _flip(at):
    return lambda file: file[: at % len(file)] + bytes([file[at % len(file)] ^ 1]) + file[at % len(file) + 1 :]


def _after(text, distance):
    """Flips a bit so far behind the first place of a text."""
    return lambda file: _flip(file.index(text) + distance)(file)


def _first_bytes(case):
    plain = Export()
    own = plain.certificate
    whole = Volume(plain).build()

    def refused(code, what, about, file, given=own):
        return case.refused(code, what, about, file, certificate=given)

    other = container([("mimetype", b"application/epub+zip"), *Volume(plain).entries()])
    yield refused("not_a_volume", "empty", "a file of 0 bytes", b"")
    yield refused("not_a_volume", "cut", "a file that ends in its first local header", whole[:40])
    yield refused("not_a_volume", "other-zip", "a ZIP that begins with another entry", other)
    yield refused("not_a_volume", "name-length", "the first name is not eleven bytes long", _put(26, b"\x0a")(whole))
    formats = Volume(plain, header=lambda h: h | {"format": "mszip2", "version": 2})
    yield refused("not_a_volume", "other-format", "another format, of a newer version", formats.build())
    array = Volume(plain, header=lambda h: [h])
    yield refused("not_a_volume", "array", "the header is an array", array.build())
    twice = Volume(plain, header_bytes=lambda data: data[:-1] + b',"format":"other"}')
    yield refused("not_a_volume", "format-twice", "format occurs twice, the last is another", twice.build())
    newer = Volume(plain, header=lambda h: h | {"version": 2, "salt": 1}).build()
    yield refused("newer_version", "2", "version 2, with other rules", newer, None)
    yield refused("newer_version", "cut", "version 2, and truncated", newer[:-1])
    zero = Volume(plain, header=lambda h: h | {"version": 0})
    yield refused("newer_version", "0", "version 0", zero.build())
    point = Volume(plain, header=lambda h: h | {"version": 1.0})
    yield refused("newer_version", "fraction", "version 1.0", point.build())
    loose = Volume(plain, header=lambda h: h | {"version": 2}, header_bytes=lambda data: data + b"}")
    yield refused("newer_version", "no-json", "version 2, with something after the object", loose.build())
    yield refused("truncated", "last-byte", "the last byte is missing", whole[:-1], None)
    yield refused("truncated", "in-header", "cut off in the header", whole[:100])
    yield refused("truncated", "byte-added", "one byte after the end record", whole + b"\0")
    yield refused("truncated", "zeros", "the end record is still zeros, as of an upload that reserves its size", whole[:-22] + bytes(22))


def _bounds(case):
    plain = Export()
    own = plain.certificate
    record = {"catalogue": 164, "seal": 109, "signature": 54}

    def stated(part, length):
        """The directory states a length; nothing so long is there."""
        return _put(-22 - record[part] + 20, struct.pack("<I", length))(Volume(plain).build())

    header = Volume(plain, header=lambda h: h | {"x": "x" * 65_536})
    yield case.refused("over_limit", "header", "a header of more than 64 KiB", header, certificate=None)
    for part, length, about in (
        ("catalogue", 40_000_017, "the directory states a catalogue of 40,000,017 bytes"),
        ("catalogue", 0xFFFFFFFF, "the directory states a catalogue of 4 GiB"),
        ("seal", 16_385, "the directory states a seal of 16,385 bytes"),
        ("signature", 73, "the directory states a signature of 73 bytes"),
    ):
        what = f"{part}-stated" if length != 0xFFFFFFFF else f"{part}-4-gib"
        yield case.refused("over_limit", what, about, stated(part, length), certificate=own)
    seal = Volume(plain, seal=lambda s: s | {"x": "x" * 16_384})
    yield case.refused("over_limit", "seal", "a seal of more than 16 KiB", seal)
    signature = Volume(plain, signature=lambda data: data + bytes(73 - len(data)))
    yield case.refused("over_limit", "signature", "a signature of 73 bytes", signature)
    text = b"#" * (16_385 - len(pem(own)) - 1) + b"\n" + pem(own)
    yield case.refused("over_limit", "certificate", "a certificate file of 16,385 bytes", Volume(plain), certificate=text)


def _certificates(case):
    plain, other = Export(), Export(name="another export")
    curve = private_key("p384", ec.SECP384R1())
    same_key = certificate(plain.key, "another name")
    yield case.refused("certificate_needed", "", "no certificate is given", Volume(plain), certificate=None)
    wrong = (
        ("other-export", "the certificate of another export", other.certificate),
        ("other-name", "another certificate of the same key", same_key),
        ("p384", "a certificate with a key of another curve", certificate(curve, "p384")),
        ("none", "what is given is no certificate", b"hello"),
        ("cut", "the certificate is cut off", plain.certificate[:-1]),
        ("trailing", "something follows the certificate", plain.certificate + b"\0"),
        ("two-pem", "two PEM blocks", pem(plain.certificate) * 2),
        ("pem-76", "PEM with lines of 76 characters", pem(plain.certificate, 76)),
        ("label", "a PEM block with another label", pem(plain.certificate).replace(b"CERTIFICATE", b"PUBLIC KEY")),
    )
    for what, about, given in wrong:
        yield case.refused("wrong_certificate", what, about, Volume(plain), certificate=given)
    changed = Volume(plain, file=_after(b'"salt"', 12)).build()
    yield case.refused("wrong_certificate", "changed", "another export's, and the header is changed too", changed, certificate=other.certificate)
    rules = Volume(plain, header=lambda h: h | {"certificate_sha256": "0" * 64, "cipher": "rot13"})
    yield case.refused("wrong_certificate", "rules", "the header names another, and breaks a rule", rules)
    astray = Volume(plain, file=_flip(-22 - 164 + 42)).build()
    yield case.refused("wrong_certificate", "astray", "another export's, and the directory leads nowhere", astray, certificate=other.certificate)


def _integer(number):
    raw = number.to_bytes(33).lstrip(b"\0") or b"\0"
    raw = b"\0" + raw if raw[0] & 0x80 else raw
    return b"\x02" + bytes([len(raw)]) + raw


def _signature(r, s):
    body = r + s
    return b"\x30" + bytes([len(body)]) + body


def _signatures(case):
    def high(der):
        r, s = decode_dss_signature(der)
        return encode_dss_signature(r, ORDER - s)

    def parts(der):
        return map(_integer, decode_dss_signature(der))

    def padded(der):
        r, s = parts(der)
        return _signature(b"\x02" + bytes([r[1] + 1]) + b"\0" + r[2:], s)

    edits = (
        ("bit", "one bit of the signature is another", _flip(20)),
        ("high-s", "s is above n/2", high),
        ("long-length", "the DER has a length that is not the shortest", lambda der: b"\x30\x81" + der[1:]),
        ("padded", "r has a zero byte too many", padded),
        ("trailing", "a byte after the DER", lambda der: der + b"\0"),
        ("zero-r", "r is 0", lambda der: _signature(_integer(0), list(parts(der))[1])),
        ("r-above-n", "r is n", lambda der: _signature(_integer(ORDER), list(parts(der))[1])),
        ("raw", "r and s without DER", lambda der: b"".join(n.to_bytes(32) for n in decode_dss_signature(der))),
        ("no-signature", "a signature of 0 bytes", lambda _: b""),
    )
    for what, about, edit in edits:
        yield case.refused("bad_signature", what, about, Volume(Export(), signature=edit))


def _changed(case):
    plain = Export()

    def changed(what, about, edit):
        return case.refused("bad_signature", what, about, Volume(plain, file=edit))

    yield changed("header-changed", "a byte of the salt is another", _after(b'"salt"', 12))
    yield changed("catalogue-changed", "a hash in the catalogue is another", _after(b"catalogue", 9 + 16 + 8))
    yield changed("seal-changed", "a number in the seal is another", _after(b'"skipped":', 10))
    yield changed("directory-name", "the directory names no catalogue", _flip(-22 - 164 + 46))
    yield changed("directory-offset", "the offset of the catalogue is another", _flip(-22 - 164 + 42))
    yield changed("directory-length", "the length of the seal is another", _put(-22 - 109 + 20, b"\x01"))
    yield changed("directory-outside", "the three parts lie side by side, outside the file", _outside)
    kdf = Volume(Export("p"), file=lambda file: file.replace(b'"memory_kib":8', b'"memory_kib":9')).build()
    yield case.refused("bad_signature", "kdf", "a changed cost: no key may be derived", kdf, "p", certificate=Export("p").certificate)
    signed = (
        ("header-no-json", "the header is no JSON", lambda data: data[:-1]),
        ("header-bom", "the header begins with a BOM", lambda data: b"\xef\xbb\xbf" + data),
        ("header-trailing", "something follows the object", lambda data: data + b"x"),
        ("header-128-deep", "nested too deep", lambda data: data[:-1] + b',"x":' + b"[" * 127 + b"]" * 127 + b"}"),
        ("header-surrogate", "half a surrogate pair", lambda data: data.replace(b"Kanzlei", b"\\ud800")),
        ("header-not-utf8", "a byte that is no UTF-8", lambda data: data.replace(b"Kanzlei", b"Kanzl\xff")),
        ("header-huge-number", "a number that no double holds", lambda data: data[:-1] + b',"x":1e999}'),
    )
    for what, about, edit in signed:
        yield case.refused("bad_signature", what, f"{about}, though signed", Volume(plain, header_bytes=edit))


def _outside(file):
    """Moves all three offsets by the same distance beyond the end."""
    for record in (164, 109, 54):
        at = len(file) - 22 - record + 42
        file = _put(at, struct.pack("<I", struct.unpack_from("<I", file, at)[0] + 5000))(file)
    return file


def _damage(case):
    """The container is damaged, and each mail is good."""
    mails = [Mail(b"one"), Mail(b"two")]
    volume = Volume(Export(), mails)
    whole = volume.build()

    def damaged(what, about, data, at):
        return case.good(f"container-{what}", about, volume, data=data, differs_at=at)

    mail = whole.index(b"mail/00000000001") - 30
    directory = whole.index(b"PK\x01\x02")
    places = (
        ("date", "the date in the first local header", 12),
        ("checksum", "the checksum in the first local header", 14),
        ("first-length", "the first length in the first local header", 18),
        ("second-length", "the second length in the first local header", 22),
        ("mail-name", "the name of a mail", mail + 30),
        ("mail-checksum", "the checksum of a mail in its local header", mail + 14),
        ("mail-length", "the length of a mail in its local header", mail + 18),
        ("catalogue-name", "the local header of the catalogue", whole.index(b"catalogue")),
        ("directory", "the first directory record", directory + 8),
        ("directory-offset", "the offset of a mail in the directory", directory + 57 + 42),
        ("end-count", "the count in the end record", len(whole) - 14),
        ("end-offset", "the offset in the end record", len(whole) - 6),
        ("end-comment", "the comment length in the end record", len(whole) - 2),
    )
    for what, about, at in places:
        yield damaged(what, f"{about} is wrong", _flip(at)(whole), at)
    both = _put(18, b"\xff" * 8)(whole)
    yield damaged("both-lengths", "both lengths in the first local header say 4 GiB", both, 18)
    at = whole.index(b"catalogue") - 30
    yield damaged("gap", "a gap before the catalogue", _gap(whole, at), at)


def _gap(file, at):
    gap = b"a gap"
    file = file[:at] + gap + file[at:]
    for record in (164, 109, 54):
        place = len(file) - 22 - record + 42
        file = _put(place, struct.pack("<I", struct.unpack_from("<I", file, place)[0] + len(gap)))(file)
    return file
