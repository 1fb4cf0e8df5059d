"""One volume, by the steps of the page: locate, verify, each mail, the container."""

import hashlib
from dataclasses import dataclass, field

import container
import keys
import mail
import rules
from certificate import Certificate
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
    entries = [(b"header.json", located.header_bytes)]
    at = container.HEADER_AT + len(located.header_bytes)
    proven = {}
    for number, (length, stored_digest) in enumerate(catalogue, seal["first_mail"]):
        at += 46
        stored = data[at : at + length]
        at += length
        entries.append((b"mail/%011d" % number, stored))
        try:
            volume.mails.append(_mail(number, stored, length, stored_digest, key, digest, proven).shown())
        except Damaged as error:
            volume.mails.append({"number": number, "damaged": str(error)})
    _sum(volume)
    entries += zip(container.TAIL, (located.catalogue, located.seal, located.signature))
    volume.differs_at = container.first_difference(data, entries)
    return volume


def _verify(located, certificate):
    """Step 2, in its order: header, seal and the lengths and hashes of the catalogue."""
    if certificate is None:
        raise Refused("certificate_needed", "none was given")
    certificate = Certificate.parse(certificate)
    named = located.header.get("certificate_sha256") if located.header is not None else None
    signed = located.directory_leads and certificate.signed(located.signature, located.seal)
    if not signed:
        if named is not None and named != certificate.sha256:
            raise Refused("wrong_certificate", "the header names another certificate")
        raise Refused("bad_signature", "the signature does not hold")
    seal = rules.parse(located.seal, "seal.json")
    for name, content in (("header_sha256", located.header_bytes), ("catalogue_sha256", located.catalogue)):
        if rules.text(seal, name, rules.HEX) != hashlib.sha256(content).hexdigest():
            raise Refused("bad_signature", f"{name} does not hold")
    if located.header is None:
        raise Refused("bad_signature", "the header is no JSON")
    if isinstance(named, str) and named != certificate.sha256:
        raise Refused("wrong_certificate", "the header names another certificate")
    header = rules.parse(located.header_bytes, "header.json")
    rules.check_header(header)
    rules.check_seal(seal)
    if (header["export_id"], header["volume"]) != (seal["export_id"], seal["volume"]):
        raise rules.malformed("header and seal do not agree")
    return header, seal, rules.check_catalogue(located.catalogue, seal)


def _mail(number, stored, length, stored_digest, key, header_digest, proven):
    if len(stored) != length:
        raise Damaged("beyond the end of the file")
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
    if all("damaged" not in one for one in volume.mails):
        if sum(one["raw_bytes"] for one in volume.mails) != volume.seal["raw_bytes"]:
            raise rules.malformed("raw_bytes is not the sum of the mails")
