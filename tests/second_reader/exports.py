"""Exports a folder of EML files anew in every way of protection, and reads the volumes with the second reader.

    python3 tests/second_reader/exports.py POSTKAHN FOLDER

What it must find is what lies in the folder, by a walk of our own: the hash, the length and the location of each file.
`postkahn verify` must say the same of the volumes, whole and damaged.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from good import pem
from reader import read
from writer import certificate, private_key

PASSWORD = "Lübbenau \U0001f6f6"
WAYS = {"plain": (False, False), "password": (True, False), "recipient": (False, True), "both": (True, True)}


def main():
    program, source = sys.argv[1], pathlib.Path(sys.argv[2])
    wanted = sorted(mails_in(source))
    assert wanted, f"no mail lies in {source}"
    with tempfile.TemporaryDirectory() as folder:
        tests = [Fresh(program, source, pathlib.Path(folder) / way, *uses) for way, uses in WAYS.items()]
        for test in tests:
            test.check(wanted)
    print(f"second reader: {len(WAYS)} fresh exports of {len(wanted)} mails are read as they must be")


def mails_in(source):
    """Hash, length and location of each file, found without the product."""
    for path in source.rglob("*.eml"):
        raw = path.read_bytes()
        yield hashlib.sha256(raw).hexdigest(), len(raw), list(path.relative_to(source).parent.parts)


class Fresh:
    """One export, in a folder of its own."""

    def __init__(self, program, source, folder, with_password, with_key):
        self.program, self.source, self.folder = program, source, folder
        folder.mkdir()
        self.password = PASSWORD if with_password else None
        self.key = private_key(f"recipient of {folder.name}") if with_key else None
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD + "\n")

    def check(self, wanted):
        volumes = self.export()
        certificate_bytes = (self.folder / "x.cer").read_bytes()
        for password, key in {(self.password, None), (None, self.key), (self.password, self.key)}:
            if (password, key) == (None, None) and (self.password or self.key):
                continue
            found = read(volumes, certificate_bytes, password, key)
            assert found["complete"] and {one["state"] for one in found["volumes"]} == {"ok"}, found
            assert sorted(self.mails(found)) == wanted, f"{self.folder.name}: other mails than in the source"
        self.check_damage(volumes, certificate_bytes)

    def export(self):
        arguments = ["export", "--from", self.source, "--to", self.folder, "--name", "x", "--volume-size", "1MiB"]
        if self.password:
            arguments += ["--password-file", self.password_file]
        if self.key:
            path = self.folder / "recipient.pem"
            path.write_bytes(pem(certificate(self.key, "recipient")))
            arguments += ["--recipient", path]
            secret = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (self.folder / "recipient.key").write_bytes(secret)
        report, exit_code = self.run(*arguments)
        assert exit_code in (0, 8) and report["complete"], report
        return sorted(self.folder.glob("x-*.mszip"))

    def run(self, *arguments):
        ended = subprocess.run([self.program, *arguments, "--json"], stdin=subprocess.DEVNULL, capture_output=True)
        return json.loads(ended.stdout), ended.returncode

    def mails(self, found):
        for one in found["volumes"]:
            for mail in one["mails"]:
                yield from ((mail["sha256"], mail["raw_bytes"], location) for location in mail["locations"])

    def check_damage(self, volumes, certificate_bytes):
        """Flips one bit of the first mail: both say which mails that costs, and that the volume is damaged."""
        data = bytearray(volumes[0].read_bytes())
        data[data.index(b"mail/00000000001") + 30] ^= 4
        volumes[0].write_bytes(data)
        found = read(volumes, certificate_bytes, self.password, self.key)
        secret = ["--password-file", self.password_file] if self.password else []
        verified, exit_code = self.run("verify", self.folder, *secret)
        assert exit_code == 8, verified
        states = [one["state"] for one in verified["volumes"]]
        # Without the password nobody opens the mails: what refers to a damaged one is not known to.
        if self.password or not self.key:
            assert states == [one["state"] for one in found["volumes"]], (states, found)
            damaged = [mail["number"] for one in found["volumes"] for mail in one["mails"] if "damaged" in mail]
            assert damaged == [mail["number"] for one in verified["volumes"] for mail in one["damaged"]], damaged
        assert states[0] == "damaged" and found["volumes"][0]["state"] == "damaged", (states, found)


if __name__ == "__main__":
    main()
