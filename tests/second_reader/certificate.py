"""The certificate: an X.509 container of one P-256 public key."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from errors import Refused

LONGEST = 16 * 1024
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PEM = re.compile(
    rb"(?:.*\n)?-----BEGIN CERTIFICATE-----\r?\n((?:[A-Za-z0-9+/]{64}\r?\n)*[A-Za-z0-9+/=]{1,64}\r?\n)"
    rb"-----END CERTIFICATE-----\s*\Z",
    re.DOTALL,
)


@dataclass
class Certificate:
    sha256: str
    key: ec.EllipticCurvePublicKey

    @staticmethod
    def parse(data):
        if len(data) > LONGEST:
            raise Refused("over_limit", "the certificate is longer than 16 KiB")
        der = _der(data)
        try:
            key = load_der_public_key(_public_key(der))
        except Exception as error:  # The library raises many kinds; each says that this is no public key.
            raise Refused("wrong_certificate", f"no certificate: {error}") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise Refused("wrong_certificate", "no P-256 key in the certificate")
        return Certificate(hashlib.sha256(der).hexdigest(), key)

    def signed(self, signature, data):
        """Whether `signature` is one of `data`, in the only form that the page allows."""
        if not _only_form(signature):
            return False
        try:
            self.key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


def _der(data):
    if data[:1] == b"\x30":
        return data
    pem = _PEM.match(data)
    if not pem or data.count(b"-----BEGIN") > 1:
        raise Refused("wrong_certificate", "neither DER nor one PEM block")
    try:
        return base64.b64decode(b"".join(pem.group(1).split()), validate=True)
    except binascii.Error as error:
        raise Refused("wrong_certificate", f"no certificate: {error}") from None


def _public_key(der):
    """The SubjectPublicKeyInfo in a certificate: a fixed number of elements before it are walked past."""
    certificate, rest = _element(der)
    if rest or der[0] != 0x30:
        raise ValueError("not one SEQUENCE")
    signed, _ = _element(certificate)
    before = 5 if signed[:1] == b"\x02" else 6
    for _ in range(before):
        _, signed_rest = _element(signed)
        signed = signed_rest
    _, after = _element(signed)
    return signed[: len(signed) - len(after)]


def _element(data):
    """Content of the DER element at the front, and what follows it."""
    if len(data) < 2:
        raise ValueError("cut off")
    length, at = data[1], 2
    if length >= 0x80:
        width = length - 0x80
        length, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
    if at + length > len(data):
        raise ValueError("cut off")
    return data[at : at + length], data[at + length :]


def _only_form(signature):
    """Whether this is the shortest DER of SEQUENCE { r, s } with a low s."""
    if len(signature) < 8 or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        return False
    r, rest = _integer(signature[2:])
    s, rest = _integer(rest)
    return r is not None and s is not None and rest == b"" and 0 < r < ORDER and 0 < s <= ORDER // 2


def _integer(data):
    if data is None or len(data) < 3 or data[0] != 2 or not 0 < data[1] <= 33 or len(data) < 2 + data[1]:
        return None, None
    body, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    negative = body[0] & 0x80
    padded = len(body) > 1 and body[0] == 0 and not body[1] & 0x80
    return (None, None) if negative or padded else (int.from_bytes(body, "big"), rest)
