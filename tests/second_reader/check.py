"""Reads vectors with the second reader, and says where it differs from their manifest.

    python3 tests/second_reader/check.py FOLDER [POSTKAHN]

With the program beside it, that must call the good ones good too.
"""

import json
import pathlib
import subprocess
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reader import read


def main():
    folder = pathlib.Path(sys.argv[1])
    rows = json.loads((folder / "MANIFEST.json").read_text())
    program = sys.argv[2] if len(sys.argv) > 2 else None
    wrong = sum(not check(folder, row) or bool(program) and not verified(program, folder, row) for row in rows)
    print(f"second reader: {len(rows) - wrong} of {len(rows)} vectors in {folder} are read as they must be")
    return 1 if wrong or not rows else 0


def check(folder, row):
    certificate = (folder / row["certificate"]).read_bytes() if row["certificate"] else None
    key = load_pem_private_key((folder / row["key"]).read_bytes(), None) if row["key"] else None
    found = read([folder / name for name in row["files"]], certificate, row["password"], key)
    pairs = {
        "states": [one["state"] for one in found["volumes"]],
        "missing_volumes": found["missing_volumes"],
        "complete": found["complete"],
        "mails": [[_plain(mail) for mail in one["mails"]] for one in found["volumes"]],
        "differs_at": [one["differs_at"] for one in found["volumes"]],
    }
    wrong = [name for name, value in pairs.items() if value != row[name]]
    for name in wrong:
        print(f"{row['name']}: {name}: {_short(pairs[name])} instead of {_short(row[name])}", file=sys.stderr)
    return not wrong


def verified(program, folder, row):
    """Whether `postkahn verify` says the same of a vector that is good and opens without a key."""
    arguments = [program, "verify", *(folder / name for name in row["files"]), "--certificate", folder / row["certificate"]]
    password = folder / "password"
    password.write_text(row["password"] or "")
    arguments += ["--password-file", password] if row["password"] else []
    ended = subprocess.run([*arguments, "--json"], stdin=subprocess.DEVNULL, capture_output=True)
    found = json.loads(ended.stdout)
    states = [one["state"] for one in found.get("volumes", [])]
    if (states, found.get("complete"), ended.returncode) == (row["states"], True, 0):
        return True
    print(f"{row['name']}: postkahn verify: {_short(found)}", file=sys.stderr)
    return False


def _plain(mail):
    return {"number": mail["number"], "damaged": True} if "damaged" in mail else mail


def _short(value):
    return json.dumps(value)[:300]


if __name__ == "__main__":
    sys.exit(main())
