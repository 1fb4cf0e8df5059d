"""A second writer, from the page alone, that signs and seals whatever it is told to: for volumes that break the rules.

All its keys and salts follow from names, so the same call gives the same bytes.
"""

import base64
import datetime
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

try:
    from compression import zstd
except ImportError:  # Before Python 3.14 the same module comes from PyPI.
    from backports import zstd

EXPORT_ID = "0190d9e2-7c3a-7000-8000-000000000001"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CHUNK = 1 << 20


def sha256(data):
    return hashlib.sha256(data).digest()


def b64(data):
    return base64.b64encode(data).decode()


def secret(name, length=32):
    """Bytes that follow from a name."""
    return hashlib.shake_256(name.encode()).digest(length)


def private_key(name, curve=None):
    return ec.derive_private_key(int.from_bytes(secret(name)) % (ORDER - 1) + 1, curve or ec.SECP256R1())


def certificate(key, name):
    """A self-signed certificate as DER."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), int.from_bytes(b"\x01" + secret(name, 15)))
    builder = builder.not_valid_before(datetime.datetime(2000, 1, 1)).not_valid_after(datetime.datetime(9999, 12, 31))
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def point(public_key):
    return public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(key)


def cbor(value):
    """The deterministic encoding of what metadata are made of; bytes in a `Raw` stand as they are."""
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    members = sorted((cbor(key), cbor(inner)) for key, inner in value.items())
    return _head(5, len(members)) + b"".join(key + inner for key, inner in members)


@dataclass(frozen=True)
class Raw:
    """An item that is already encoded, well or badly."""

    data: bytes


def _head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    width = next(width for width in (1, 2, 4, 8) if number < 1 << 8 * width)
    return bytes([major << 5 | 23 + width.bit_length()]) + number.to_bytes(width)


def frame(raw, checksum=False):
    options = {zstd.CompressionParameter.compression_level: 3, zstd.CompressionParameter.checksum_flag: checksum}
    compressor = zstd.ZstdCompressor(options=options)
    compressor.set_pledged_input_size(len(raw))
    return compressor.compress(raw, mode=zstd.ZstdCompressor.FLUSH_FRAME)


def raw_frame(descriptor, fields, content):
    """A frame of one block that is not compressed: magic number, descriptor, fields, block."""
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + fields + struct.pack("<I", len(content) << 3 | 1)[:3] + content


def plaintext(metadata, body):
    return struct.pack("<I", len(metadata)) + metadata + body


@dataclass
class Mail:
    """One mail: its raw message, or the number of the mail that it refers to."""

    raw: bytes = b"Subject: hi\r\n\r\nhello\r\n"
    reference: int | None = None
    metadata: dict = field(default_factory=dict)
    locations: list = field(default_factory=lambda: [["alice", "Inbox"]])

    def members(self):
        members = {"h": sha256(self.raw), "n": len(self.raw), "l": self.locations} | self.metadata
        return members if self.reference is None else members | {"r": self.reference}

    def plaintext(self):
        return plaintext(cbor(self.members()), b"" if self.reference else frame(self.raw))

    def shown(self, number):
        """What a reader must make of it."""
        known = self.members()
        return {
            "number": number,
            "sha256": known["h"].hex(),
            "raw_bytes": known["n"],
            "archive_date": known.get("a"),
            "message_date": known.get("d"),
            "message_date_source": known.get("s"),
            "flags": [flag for flag in ("seen", "answered", "flagged", "forwarded", "draft") if flag in known.get("f", [])],
            "source_key": known.get("k"),
            "locations": known["l"],
            "reference": known.get("r"),
        }


class Export:
    """Keys of one export, and what of its headers is the same in all volumes."""

    def __init__(self, password=None, recipients=(), name="export", export_id=EXPORT_ID):
        self.id = export_id
        self.key = private_key(name)
        self.certificate = certificate(self.key, f"mszip export {export_id}")
        self.slots = []
        self.content_key = None
        if password is not None or recipients:
            self.content_key = secret(f"{name} content key")
        if password is not None:
            self.slots.append(self.password_slot(password))
        self.slots += [self.recipient_slot(der, key) for der, key in recipients]

    def password_slot(self, password, memory_kib=8, passes=1, lanes=1, key=None):
        salt = secret(password + " salt", 16)
        derived = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib)
        slot_key = hkdf(derived.derive(password.encode()), b"", b"mszip 1 password slot")
        wrapped = AESGCM(slot_key).encrypt(bytes(12), key or self.content_key, self.id.encode())
        return {
            "type": "password",
            "kdf": "argon2id",
            "memory_kib": memory_kib,
            "passes": passes,
            "lanes": lanes,
            "salt": b64(salt),
            "wrapped_key": b64(wrapped),
        }

    def recipient_slot(self, der, public_key):
        """HPKE, mode base, single shot (RFC 9180)."""
        ephemeral = private_key("ephemeral for " + sha256(der).hex())
        encapsulated = point(ephemeral.public_key())
        kem, hpke = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x02"
        prk = _extract(kem, b"", b"eae_prk", ephemeral.exchange(ec.ECDH(), public_key))
        shared = _expand(kem, prk, b"shared_secret", encapsulated + point(public_key), 32)
        info = _extract(hpke, b"", b"info_hash", b"mszip 1 recipient slot" + self.id.encode())
        context = b"\x00" + _extract(hpke, b"", b"psk_id_hash", b"") + info
        prk = _extract(hpke, shared, b"secret", b"")
        key, nonce = _expand(hpke, prk, b"key", context, 32), _expand(hpke, prk, b"base_nonce", context, 12)
        return {
            "type": "recipient",
            "suite": "hpke-dhkem-p256-hkdf-sha256-aes256gcm",
            "certificate_sha256": sha256(der).hex(),
            "encapsulated_key": b64(encapsulated),
            "wrapped_key": b64(AESGCM(key).encrypt(nonce, self.content_key, b"")),
        }

    def header(self, number):
        header = {
            "format": "mszip",
            "version": 1,
            "export_id": self.id,
            "name": "Kanzlei",
            "volume": number,
            "created": "2026-01-02T03:04:05Z",
            "generator": "the second writer",
            "certificate_sha256": sha256(self.certificate).hex(),
            "cipher": "aes-256-gcm" if self.content_key else "none",
            "salt": b64(secret(f"salt of volume {number}")),
        }
        if self.content_key:
            check = hkdf(self.content_key, self.id.encode(), b"mszip 1 key check")
            header |= {"key_slots": self.slots, "key_check": b64(check)}
        return header

    def seal_mail(self, header_bytes, number, plain):
        if not self.content_key:
            return plain
        return b"".join(self.chunks(header_bytes, number, plain))

    def chunks(self, header_bytes, number, plain):
        """The sealed chunks of a mail, in order."""
        digest = sha256(header_bytes)
        cipher = AESGCM(hkdf(self.content_key, digest, b"mszip 1 volume"))
        pieces = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)]
        nonces = [struct.pack(">QI", number, i | (1 << 31 if i == len(pieces) - 1 else 0)) for i in range(len(pieces))]
        return [cipher.encrypt(nonce, piece, digest) for nonce, piece in zip(nonces, pieces)]

    def sign(self, data):
        """The one form of a signature."""
        signature = self.key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, min(s, ORDER - s))


def _extract(suite, salt, label, key):
    return HKDF.extract(hashes.SHA256(), salt or None, b"HPKE-v1" + suite + label + key)


def _expand(suite, key, label, info, length):
    labeled = length.to_bytes(2) + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), length, labeled).derive(key)


@dataclass
class Volume:
    """One volume; each of the functions may change what it is given before it is used."""

    export: Export
    mails: list = field(default_factory=lambda: [Mail()])
    number: int = 1
    before: "Volume | None" = None
    last: bool = True
    skipped: int = 0
    header: object = lambda header: header
    header_bytes: object = lambda data: data
    stored: object = lambda stored, header_bytes: stored
    catalogue: object = lambda data: data
    seal: object = lambda seal: seal
    seal_bytes: object = lambda data: data
    signature: object = lambda data: data
    file: object = lambda data: data

    def first_mail(self):
        return self.before.first_mail() + len(self.before.mails) if self.before else 1

    def totals(self):
        before = self.before.totals() if self.before else (0, 0, 0)
        own = (len(self.mails), sum(_length(mail) for mail in self.mails), self.skipped)
        return tuple(one + other for one, other in zip(before, own))

    def build(self):
        """The bytes of the file."""
        return self.file(container(self.entries()))

    def entries(self):
        header_bytes = self.header_bytes(_json(self.header(self.export.header(self.number))))
        first = self.first_mail()
        stored = [
            self.export.seal_mail(header_bytes, number, mail if isinstance(mail, bytes) else mail.plaintext())
            for number, mail in enumerate(self.mails, first)
        ]
        stored = self.stored(stored, header_bytes)
        catalogue = struct.pack("<QQ", first, len(stored))
        catalogue += b"".join(struct.pack("<Q", len(one)) + sha256(one) for one in stored)
        catalogue = self.catalogue(catalogue)
        seal = self.seal_bytes(_json(self.seal(self._seal(header_bytes, catalogue))))
        entries = [("header.json", header_bytes)]
        entries += [(f"mail/{number:011}", one) for number, one in enumerate(stored, first)]
        return entries + [("catalogue", catalogue), ("seal.json", seal), ("seal.sig", self.signature(self.export.sign(seal)))]

    def _seal(self, header_bytes, catalogue):
        mails, raw_bytes, skipped = self.totals()
        seal = {
            "export_id": self.export.id,
            "volume": self.number,
            "header_sha256": sha256(header_bytes).hex(),
            "catalogue_sha256": sha256(catalogue).hex(),
            "first_mail": self.first_mail(),
            "mails": len(self.mails),
            "raw_bytes": sum(_length(mail) for mail in self.mails),
            "skipped": self.skipped,
            "previous_seal_sha256": sha256(self.before.entries()[-2][1]).hex() if self.before else None,
            "last": self.last,
        }
        totals = {"volumes": self.number, "total_mails": mails, "total_raw_bytes": raw_bytes, "total_skipped": skipped}
        return seal | totals if self.last else seal


def _length(mail):
    return 0 if isinstance(mail, bytes) else mail.members()["n"]


def _json(value):
    return value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def container(entries):
    """The ZIP of which every byte follows from its entries."""
    body, directory, at = [], [], 0
    for name, content in entries:
        name, length = name.encode(), len(content)
        common = struct.pack("<HHHHHIIIHH", 10, 0, 0, 0, 0x21, zlib.crc32(content), length, length, len(name), 0)
        body += [b"PK\x03\x04", common, name, content]
        directory += [b"PK\x01\x02\x0a\x03", common[:24], bytes(8), struct.pack("<II", 0o100644 << 16, at), name]
        at += 30 + len(name) + length
    directory = b"".join(directory)
    count, length = len(entries), len(directory)
    end = b""
    if count >= 65_535:
        end = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, at)
        end += struct.pack("<4sIQI", b"PK\x06\x07", 0, at + length, 1)
        count, length, at = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    end += struct.pack("<4sIHHIIH", b"PK\x05\x06", 0, count, count, length, at, 0)
    return b"".join(body) + directory + end
