"""Several volumes as one export: which are missing, doubled, in conflict or foreign."""

SHARED = ("certificate_sha256", "cipher", "key_slots", "key_check")


def judge(volumes):
    """The state of each volume that opened (None where one was refused), what is missing, and whether all is there."""
    states = [None if volume is None else "ok" if volume.whole else "damaged" for volume in volumes]
    opened = [index for index, volume in enumerate(volumes) if volume]
    if not opened:
        return states, [], False
    export_id = volumes[opened[0]].header["export_id"]
    by_number = {}
    for index in opened:
        if volumes[index].header["export_id"] == export_id:
            by_number.setdefault(volumes[index].seal["volume"], []).append(index)
        else:
            states[index] = "volume_foreign"
    kept = {number: _choose(volumes, states, number, by_number) for number in sorted(by_number, reverse=True)}
    last = [number for number, index in kept.items() if volumes[index].seal["last"]]
    until = max(kept) if not last else max(max(kept), *last)
    missing = [number for number in range(1, until + 1) if number not in kept]
    good = len(last) == 1 and last[0] == until and not missing and _chained(volumes, kept, until)
    # A conflict leaves open which of the two is the export's own.
    return states, missing, good and not any(state in ("damaged", "volume_conflict") for state in states)


def _choose(volumes, states, number, by_number):
    files = by_number[number]
    named = {volumes[index].seal["previous_seal_sha256"] for index in by_number.get(number + 1, [])}
    stays = next((index for index in files if volumes[index].seal_sha256 in named), files[0])
    for index in files:
        if index != stays:
            same = volumes[index].seal_sha256 == volumes[stays].seal_sha256
            states[index] = "volume_doubled" if same else "volume_conflict"
    return stays


def _chained(volumes, kept, until):
    for number in range(2, until + 1):
        before, this = volumes[kept[number - 1]], volumes[kept[number]]
        if this.seal["previous_seal_sha256"] != before.seal_sha256:
            return False
        if this.seal["first_mail"] != before.seal["first_mail"] + before.seal["mails"]:
            return False
        if any(this.header.get(name) != before.header.get(name) for name in SHARED):
            return False
    seals = [volumes[index].seal for index in kept.values()]
    end = volumes[kept[until]].seal
    return all(
        sum(seal[name] for seal in seals) == end[f"total_{name}"] for name in ("mails", "raw_bytes", "skipped")
    )
