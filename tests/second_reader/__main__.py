"""A second reader of `.mszip` volumes, written from docs/formats/volume.md alone.

It shares nothing with the product, so what both read alike is what the page says. It reads whole files into memory
and is meant for tests, not for archives. Usage:

    python3 tests/second_reader VOLUME... --certificate CER [--password-file FILE] [--key PEM]

prints one JSON document and ends with 0 if each volume was opened and is whole, else 1.
"""

import argparse
import json
import pathlib
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reader import read


def main():
    arguments = argparse.ArgumentParser(prog="second_reader")
    arguments.add_argument("volumes", nargs="+", type=pathlib.Path)
    arguments.add_argument("--certificate", type=pathlib.Path)
    arguments.add_argument("--password-file", type=pathlib.Path)
    arguments.add_argument("--key", type=pathlib.Path)
    given = arguments.parse_args()
    certificate = given.certificate.read_bytes() if given.certificate else None
    password = _line(given.password_file.read_bytes()) if given.password_file else None
    key = load_pem_private_key(given.key.read_bytes(), None) if given.key else None
    document = read(given.volumes, certificate, password, key)
    json.dump(document, sys.stdout, ensure_ascii=False, sort_keys=True)
    print()
    return 0 if all(one["state"] == "ok" for one in document["volumes"]) else 1


def _line(data):
    text = data.decode()
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


if __name__ == "__main__":
    sys.exit(main())
