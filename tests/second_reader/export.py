"""Several volumes as one export: which are missing, doubled, in conflict or foreign."""

from errors import Refused
from rules import malformed

SHARED = ("cipher", "key_slots", "key_check")
CONFLICT = "volume_conflict"


def judge(files):
    """Takes a Volume or a Refused for each file; gives the state of each, the missing numbers, and whether all is there."""
    states = [_alone(file) for file in files]
    opened = [index for index, file in enumerate(files) if not isinstance(file, Refused)]
    if not opened:
        return states, [], False
    export_id = files[opened[0]].header["export_id"]
    by_number = {}
    for index in opened:
        if files[index].header["export_id"] == export_id:
            by_number.setdefault(files[index].seal["volume"], []).append(index)
        else:
            states[index] = "volume_foreign"
    last_seals = {files[i].seal_sha256 for group in by_number.values() for i in group if files[i].seal["last"]}
    chain = {}
    for number in sorted(by_number):
        stays = _choose(files, states, by_number[number], by_number.get(number + 1, []))
        before = files[chain[max(chain)]] if chain else None
        if before and not _continues(before, files[stays]):
            states[stays] = CONFLICT
        else:
            chain[number] = stays
    _check_totals(files, states, chain)
    missing = [number for number in range(1, max(chain, default=0) + 1) if number not in chain]
    last_seen = any(files[index].seal["last"] for index in chain.values())
    return states, missing, last_seen and not missing and len(last_seals) == 1


def _alone(file):
    if isinstance(file, Refused):
        return file.code
    return "ok" if file.whole else "damaged"


def _choose(files, states, group, after):
    named = {files[index].seal["previous_seal_sha256"] for index in after}
    seal = files[next((index for index in group if files[index].seal_sha256 in named), group[0])].seal_sha256
    same = [index for index in group if files[index].seal_sha256 == seal]
    stays = next((index for index in same if files[index].whole), same[0])
    for index in group:
        if index not in same:
            states[index] = CONFLICT
        elif index != stays and files[index].whole:
            states[index] = "volume_doubled"
    return stays


def _continues(before, this):
    if any(this.header.get(name) != before.header.get(name) for name in SHARED) or before.seal["last"]:
        return False
    begins, due = this.seal["first_mail"], before.seal["first_mail"] + before.seal["mails"]
    if this.seal["volume"] == before.seal["volume"] + 1:
        return this.seal["previous_seal_sha256"] == before.seal_sha256 and begins == due
    return begins >= due


def _check_totals(files, states, chain):
    last = next((number for number, index in chain.items() if files[index].seal["last"]), None)
    if last is None or sorted(chain) != list(range(1, last + 1)):
        return
    seals = [files[index].seal for index in chain.values()]
    end = files[chain[last]].seal
    if any(sum(seal[name] for seal in seals) != end[f"total_{name}"] for name in ("mails", "raw_bytes", "skipped")):
        states[chain.pop(last)] = malformed("").code
