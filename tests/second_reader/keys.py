"""From a password or a recipient's private key to the key of a volume."""

import base64
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from errors import Refused


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(key)


def content_key(header, password, private_key):
    """The content key of an encrypted volume, by whatever of the two was given and fits a slot."""
    slots = header["key_slots"]
    passwords = [slot for slot in slots if slot["type"] == "password"]
    recipients = [slot for slot in slots if slot["type"] == "recipient"]
    use_password = password is not None and passwords
    use_key = private_key is not None and recipients
    if not use_password and not use_key:
        if passwords:
            raise Refused("password_needed", "nothing was given that could open a slot")
        raise Refused("recipient_key_needed", "nothing was given that could open a slot")
    export_id = header["export_id"].encode()
    candidates = []
    if use_password:
        candidates += [(_by_password, slot, password) for slot in passwords]
    if use_key:
        candidates += [(_by_recipient, slot, private_key) for slot in recipients]
    for opened, slot, secret in candidates:
        key = opened(slot, secret, export_id)
        if key and hkdf(key, export_id, b"mszip 1 key check") == base64.b64decode(header["key_check"]):
            return key
    raise Refused("wrong_password" if use_password else "wrong_recipient_key", "it opens no slot")


def volume_key(key, header_digest):
    return hkdf(key, header_digest, b"mszip 1 volume")


def _by_password(slot, password, export_id):
    secret = unicodedata.normalize("NFC", password).encode()
    if not 1 <= len(secret) <= 1024:
        return None
    derived = Argon2id(
        salt=base64.b64decode(slot["salt"]),
        length=32,
        iterations=slot["passes"],
        lanes=slot["lanes"],
        memory_cost=slot["memory_kib"],
    ).derive(secret)
    slot_key = hkdf(derived, b"", b"mszip 1 password slot")
    return _unwrap(slot_key, bytes(12), slot, export_id)


def _unwrap(key, nonce, slot, associated):
    try:
        return AESGCM(key).decrypt(nonce, base64.b64decode(slot["wrapped_key"]), associated)
    except InvalidTag:
        return None


def _by_recipient(slot, private_key, export_id):
    """HPKE, mode base, single shot (RFC 9180, sections 4.1 and 5.1)."""
    encapsulated = base64.b64decode(slot["encapsulated_key"])
    try:
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encapsulated)
    except ValueError:
        return None
    own = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    kem = b"KEM\x00\x10"
    prk = _labeled_extract(kem, b"", b"eae_prk", private_key.exchange(ec.ECDH(), peer))
    shared = _labeled_expand(kem, prk, b"shared_secret", encapsulated + own, 32)
    hpke = b"HPKE\x00\x10\x00\x01\x00\x02"
    context = b"\x00" + _labeled_extract(hpke, b"", b"psk_id_hash", b"")
    context += _labeled_extract(hpke, b"", b"info_hash", b"mszip 1 recipient slot" + export_id)
    secret = _labeled_extract(hpke, shared, b"secret", b"")
    key = _labeled_expand(hpke, secret, b"key", context, 32)
    nonce = _labeled_expand(hpke, secret, b"base_nonce", context, 12)
    return _unwrap(key, nonce, slot, b"")


def _labeled_extract(suite, salt, label, key):
    mac = HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(b"HPKE-v1" + suite + label + key)
    return mac.finalize()


def _labeled_expand(suite, key, label, info, length):
    mac = HMAC(key, hashes.SHA256())
    mac.update(length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\x01")
    return mac.finalize()[:length]
