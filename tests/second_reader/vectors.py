"""Makes the test vectors of docs/formats/volume.md: volumes that are good, and volumes named by what is wrong.

    vectors.py crates/volume/tests/vectors --page docs/formats/volume.md   those in the repository
    vectors.py FOLDER --large                                             those that are too large for it

Beside the volumes it writes MANIFEST.json: what each vector is, what opens it, and what a reader must say of it. With
a page it lists them at its end.
"""

import argparse
import json
import pathlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import bad_containers
import bad_mails
import bad_parts
import good
import sets
from writer import Volume

LIST = "| vector | what it is | what a reader says |\n|---|---|---|\n"


@dataclass
class Case:
    """One vector. `states` and `mails` are by file; a refused one has no mails, a damaged mail has only its number."""

    name: str
    about: str
    files: list
    states: list
    certificate: bytes | None
    password: str | None = None
    key: object = None
    missing: list = field(default_factory=list)
    complete: bool = False
    mails: list = field(default_factory=list)
    differs_at: list = field(default_factory=list)

    @staticmethod
    def good(name, about, volume, password=None, key=None, certificate=None, damaged=(), differs_at=None, data=None):
        """One volume that opens; some of its mails, or its container, may be damaged."""
        first = volume.first_mail()
        shown = [
            {"number": number, "damaged": True} if number in damaged else mail.shown(number)
            for number, mail in enumerate(volume.mails, first)
        ]
        state = "damaged" if damaged or differs_at is not None else "ok"
        data = volume.build() if data is None else data
        certificate = volume.export.certificate if certificate is None else certificate
        return Case(name, about, [data], [state], certificate, password, key, [], True, [shown], [differs_at])

    @staticmethod
    def refused(code, what, about, source, password=None, key=None, certificate=...):
        """One file that is refused with a code; `source` is a Volume, or bytes with the certificate beside them."""
        data = source.build() if isinstance(source, Volume) else source
        certificate = source.export.certificate if certificate is ... else certificate
        name = f"{code.replace('_', '-')}-{what}" if what else code.replace("_", "-")
        return Case(name, about, [data], [code], certificate, password, key, mails=[[]], differs_at=[None])

    def write(self, folder):
        """Writes the files and returns the row of the manifest."""
        names = [f"{self.name}.mszip"] if len(self.files) == 1 else [
            f"{self.name}-{index}.mszip" for index in range(1, len(self.files) + 1)
        ]
        for name, data in zip(names, self.files):
            (folder / name).write_bytes(data)
        return {
            "name": self.name,
            "about": self.about,
            "files": names,
            "certificate": self._beside(folder, "cer", self.certificate),
            "password": self.password,
            "key": self._beside(folder, "pem", self.key and _pem(self.key)),
            "states": self.states,
            "missing_volumes": self.missing,
            "complete": self.complete,
            "mails": self.mails,
            "differs_at": self.differs_at,
        }

    def _beside(self, folder, ending, data):
        """Puts certificates and keys down once each, however many vectors use them."""
        if data is None:
            return None
        same = [path for path in sorted(folder.glob(f"*.{ending}")) if path.read_bytes() == data]
        path = same[0] if same else folder / f"{self.name}.{ending}"
        path.write_bytes(data)
        return path.name


def _pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main():
    arguments = argparse.ArgumentParser(prog="vectors.py")
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--large", action="store_true")
    arguments.add_argument("--page", type=pathlib.Path)
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for old in given.folder.glob("[!.]*"):
        old.unlink()
    small = (good.cases, bad_containers.cases, bad_parts.cases, bad_mails.cases, sets.cases)
    made = [case for part in ((good.large_cases,) if given.large else small) for case in part(Case)]
    rows = [case.write(given.folder) for case in made]
    assert len({row["name"] for row in rows}) == len(rows)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    (given.folder / "MANIFEST.json").write_text(f"[\n{lines}\n]\n")
    if given.page:
        page = given.page.read_text()
        given.page.write_text(page[: page.index(LIST)] + LIST + "".join(map(listed, rows)))


def listed(row):
    """One line of the page."""
    says = []
    for state, mails, differs_at in zip(row["states"], row["mails"], row["differs_at"]):
        numbers = [str(mail["number"]) for mail in mails if "damaged" in mail]
        parts = [f"`mail_damaged` {', '.join(numbers)}"] if numbers else []
        parts += [f"container damaged at {differs_at}"] if differs_at is not None else []
        says.append(" and ".join(parts) or ("good" if state == "ok" else f"`{state}`"))
    if row["missing_volumes"]:
        says.append(f"`volume_missing` {', '.join(map(str, row['missing_volumes']))}")
    return f"| `{row['name']}` | {row['about']} | {'; '.join(says)} |\n"


if __name__ == "__main__":
    main()
