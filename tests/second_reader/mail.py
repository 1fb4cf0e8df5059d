"""One mail entry: its chunks, its metadata, its zstd frame."""

import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

try:
    from compression import zstd
except ImportError:  # Before Python 3.14 the same module comes from PyPI.
    from backports import zstd

import cbor
from errors import Damaged

CHUNK = 1 << 20
TAG = 16
METADATA_LONGEST = 1 << 20
RAW_LONGEST = 4_294_967_295
WINDOW_LARGEST = 8 << 20
EARLIEST, LATEST = -62_135_596_800, 253_402_300_799
FLAGS = ("seen", "answered", "flagged", "forwarded", "draft")


@dataclass
class Mail:
    number: int
    sha256: bytes
    raw_bytes: int
    metadata: dict
    raw: bytes | None

    def shown(self):
        """The mail as canonical JSON; what is absent is null."""
        known = self.metadata
        return {
            "number": self.number,
            "sha256": self.sha256.hex(),
            "raw_bytes": self.raw_bytes,
            "archive_date": known.get("a"),
            "message_date": known.get("d"),
            "message_date_source": known.get("s"),
            "flags": [flag for flag in FLAGS if flag in known.get("f", [])],
            "source_key": known.get("k"),
            "locations": known["l"],
            "reference": known.get("r"),
        }


def open_mail(number, stored, key, header_digest):
    """The mail that `stored` is (its hash has been compared), proven but for a reference; raises Damaged."""
    plain = stored if key is None else _decrypt(number, stored, key, header_digest)
    if len(plain) < 4:
        raise Damaged("no metadata")
    length = struct.unpack_from("<I", plain)[0]
    if length > METADATA_LONGEST or 4 + length > len(plain):
        raise Damaged("the metadata are too long")
    try:
        metadata = cbor.loads(plain[4 : 4 + length])
    except (cbor.BadCbor, RecursionError) as error:
        raise Damaged(f"metadata: {error}") from None
    _check(metadata, number)
    frame = plain[4 + length :]
    if "r" in metadata:
        if frame:
            raise Damaged("a frame in a reference")
        return Mail(number, metadata["h"], metadata["n"], metadata, None)
    raw = _decompress(frame, metadata["n"])
    if hashlib.sha256(raw).digest() != metadata["h"]:
        raise Damaged("the hash of the raw message differs")
    return Mail(number, metadata["h"], metadata["n"], metadata, raw)


def _decrypt(number, stored, key, associated):
    cipher, plain = AESGCM(key), []
    final = (len(stored) - 1) // (CHUNK + TAG)
    for index, at in enumerate(range(0, len(stored), CHUNK + TAG)):
        chunk = stored[at : at + CHUNK + TAG]
        if len(chunk) <= TAG:
            raise Damaged("a chunk is cut off")
        nonce = struct.pack(">QI", number, index | (0x80000000 if index == final else 0))
        try:
            plain.append(cipher.decrypt(nonce, chunk, associated))
        except InvalidTag:
            raise Damaged("decryption failed") from None
    return b"".join(plain)


def _check(metadata, number):
    if not isinstance(metadata, dict):
        raise Damaged("the metadata are no map")

    def known(key, kind, good, needed=False):
        value = metadata.get(key)
        if key not in metadata:
            if needed:
                raise Damaged(f"metadata: {key} is missing")
        elif not isinstance(value, kind) or not good(value):
            raise Damaged(f"metadata: {key} is not as it must be")

    in_time = lambda date: EARLIEST <= date <= LATEST  # noqa: E731
    known("a", int, in_time)
    known("d", int, in_time)
    known("f", list, lambda flags: all(isinstance(flag, str) for flag in flags))
    known("h", bytes, lambda digest: len(digest) == 32, True)
    known("k", str, lambda _: True)
    known("l", list, _locations, True)
    known("n", int, lambda length: 0 <= length <= RAW_LONGEST, True)
    known("r", int, lambda target: 0 < target < number)
    known("s", str, lambda _: True)


def _locations(locations):
    return 1 <= len(locations) <= 4096 and all(
        isinstance(location, list) and location and all(isinstance(name, str) and name for name in location)
        for location in locations
    )


def _decompress(frame, length):
    _frame_header(frame, length)
    options = {zstd.DecompressionParameter.window_log_max: 23}
    decoder = zstd.ZstdDecompressor(options=options)
    try:
        raw = decoder.decompress(frame, max_length=length + 1)
    except zstd.ZstdError as error:
        raise Damaged(f"frame: {error}") from None
    if not decoder.eof or decoder.unused_data or len(raw) != length:
        raise Damaged("not exactly one frame of the length that is stated")
    return raw


def _frame_header(frame, length):
    """RFC 8878, section 3.1.1.1."""
    if frame[:4] != b"\x28\xb5\x2f\xfd" or len(frame) < 6:
        raise Damaged("no zstd frame")
    descriptor, at = frame[4], 5
    single = bool(descriptor & 0x20)
    window = None
    if not single:
        base = 1 << (10 + (frame[5] >> 3))
        window = base + base // 8 * (frame[5] & 7)
        at += 1
    width = (0, 1, 2, 4)[descriptor & 3]
    if any(frame[at : at + width]):
        raise Damaged("a frame with a dictionary")
    at += width
    width = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    if not width or len(frame) < at + width:
        raise Damaged("a frame without its content size")
    size = int.from_bytes(frame[at : at + width], "little") + (256 if width == 2 else 0)
    if size != length:
        raise Damaged("the content size differs")
    if (size if window is None else window) > WINDOW_LARGEST:
        raise Damaged("a window of more than 8 MiB")
