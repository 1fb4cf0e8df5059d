"""One volume, by the steps of the page: locate, verify, each mail, the container."""

import hashlib
import zlib
from dataclasses import dataclass, field

import container
import keys
import mail
import rules
import strict_json
from certificate import Certificate
from container import Entry
from errors import Damaged, Refused


@dataclass
class Volume:
    header: dict
    seal: dict
    seal_sha256: str
    mails: list = field(default_factory=list)
    differs_at: int | None = None

    @property
    def whole(self):
        return self.differs_at is None and not any("damaged" in one for one in self.mails)


def open_volume(data, certificate, password=None, private_key=None):
    """Reads a whole volume; `certificate` are the bytes of the file, or None. Raises Refused."""
    located = container.locate(data)
    header, seal, catalogue = _verify(located, certificate)
    key = None
    digest = hashlib.sha256(located.header_bytes).digest()
    if header["cipher"] != "none":
        key = keys.volume_key(keys.content_key(header, password, private_key), digest)
    volume = Volume(header, seal, hashlib.sha256(located.seal).hexdigest())
    entries = [Entry.of(b"header.json", located.header_bytes)]
    at = container.HEADER_AT + len(located.header_bytes)
    proven = {}
    for number, (length, stored_digest) in enumerate(catalogue, seal["first_mail"]):
        at += 46
        stored, name = data[at : at + length], b"mail/%011d" % number
        crc32 = zlib.crc32(stored)
        if hashlib.sha256(stored).digest() != stored_digest:
            stated = container.stated_crc32(data, at, name)
            crc32 = crc32 if stated is None else stated
        entries.append(Entry(name, length, crc32))
        try:
            volume.mails.append(_mail(number, stored, stored_digest, key, digest, proven).shown())
        except Damaged as error:
            volume.mails.append({"number": number, "damaged": str(error)})
        at += length
    _sum(volume)
    entries += map(Entry.of, container.TAIL, (located.catalogue, located.seal, located.signature))
    volume.differs_at = container.first_difference(data, entries)
    return volume


def _verify(located, certificate):
    """Step 2, in its order: header, seal and the lengths and hashes of the catalogue."""
    if certificate is None:
        raise Refused("certificate_needed", "none was given")
    certificate = Certificate.parse(certificate)
    header = _looked_at(located.header_bytes)
    named = _hash_in(header, "certificate_sha256")
    is_other = named is not None and named != certificate.sha256
    if not located.directory_leads or not certificate.signed(located.signature, located.seal):
        if is_other:
            raise Refused("wrong_certificate", "the header names another certificate")
        raise Refused("bad_signature", "the signature does not hold")
    seal = _looked_at(located.seal)
    for name, content in (("header_sha256", located.header_bytes), ("catalogue_sha256", located.catalogue)):
        if _hash_in(seal, name) not in (None, hashlib.sha256(content).hexdigest()):
            raise Refused("bad_signature", f"{name} does not hold")
    if header is None:
        raise Refused("bad_signature", "the header is no JSON")
    if is_other:
        raise Refused("wrong_certificate", "the header names another certificate")
    header = rules.parse(located.header_bytes, "header.json")
    rules.check_header(header)
    seal = rules.parse(located.seal, "seal.json")
    rules.check_seal(seal)
    if (header["export_id"], header["volume"]) != (seal["export_id"], seal["volume"]):
        raise rules.malformed("header and seal do not agree")
    return header, seal, rules.check_catalogue(located.catalogue, seal, len(located.header_bytes))


def _looked_at(data):
    """What is JSON there, before its rules are known to hold; None if it is none."""
    try:
        return strict_json.loads(data)
    except strict_json.NotJson:
        return None


def _hash_in(value, name):
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) and rules.HEX.fullmatch(found) else None


def _mail(number, stored, stored_digest, key, header_digest, proven):
    if hashlib.sha256(stored).digest() != stored_digest:
        raise Damaged("the hash of the stored bytes differs")
    one = mail.open_mail(number, stored, key, header_digest)
    if one.raw is None:
        if proven.get(one.metadata["r"]) != (one.sha256, one.raw_bytes):
            raise Damaged("the mail that is referred to is not proven, or another")
    else:
        proven[number] = (one.sha256, one.raw_bytes)
    return one


def _sum(volume):
    total = sum(one.get("raw_bytes", 0) for one in volume.mails)
    stated, damaged = volume.seal["raw_bytes"], any("damaged" in one for one in volume.mails)
    if total > stated or (total != stated and not damaged):
        raise rules.malformed("raw_bytes is not the sum of the mails")
