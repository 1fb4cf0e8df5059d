"""Vectors of several files: an export in volumes, and what can be wrong with them together."""

from dataclasses import replace

from good import recipient
from writer import Export, Mail, Volume, sha256

OTHER_ID = "0190d9e2-7c3a-7000-8000-00000000000f"


def cases(case):
    return [*_whole(case), *_broken(case)]


def _three(export, **changes):
    """An export of three volumes."""
    first = Volume(export, [Mail(b"one"), Mail(b"two")], last=False, skipped=1)
    second = Volume(export, [Mail(b"three")], 2, first, last=False)
    return first, second, Volume(export, [Mail(b"one"), Mail(b"one", 4)], 3, second, skipped=2, **changes)


def _several(case, name, about, volumes, states=None, missing=(), complete=False, password=None, key=None):
    """Volumes in the order given; bytes take the place of what a Volume would build."""
    states = states or ["ok"] * len(volumes)
    mails = [
        [] if state == "malformed" else [mail.shown(number) for number, mail in enumerate(one.mails, one.first_mail())]
        for one, state in zip(volumes, states)
    ]
    certificate = volumes[0].export.certificate
    files = [one.build() for one in volumes]
    none = [None] * len(files)
    return case(name, about, files, states, certificate, password, key, list(missing), complete, mails, none)


def _whole(case):
    key, own = recipient("recipient")
    first, second, third = _three(Export("p", [own]))
    yield _several(case, "good-volumes", "three volumes", [first, second, third], complete=True, password="p")
    yield _several(case, "good-volumes-order", "three volumes in another order", [third, first, second], complete=True, key=key)
    doubled = ["ok", "ok", "volume_doubled", "ok"]
    yield _several(case, "volume-doubled", "one volume is there twice", [first, second, second, third], doubled, complete=True, password="p")
    empty = Volume(Export(), [], last=False)
    last = Volume(Export(), [], 2, empty)
    yield _several(case, "good-volumes-no-mails", "two volumes without mails", [empty, last], complete=True)


def _broken(case):
    export = Export()
    first, second, third = _three(export)
    yield _several(case, "volume-missing-first", "the first volume is missing", [second, third], missing=[1])
    yield _several(case, "volume-missing-middle", "a volume is missing in the middle", [first, third], missing=[2])
    yield _several(case, "volume-missing-last", "the last volume is missing", [first, second])
    other = replace(second, mails=[Mail(b"THREE")])
    conflict = ["ok", "volume_conflict", "ok", "ok"]
    yield _several(case, "volume-conflict", "two volumes of one number; the next names the second", [first, other, second, third], conflict, complete=True)
    unnamed = ["ok", "volume_conflict"]
    yield _several(case, "volume-conflict-unnamed", "two volumes of one number, and no next", [second, other], unnamed, [1])
    astray = ["ok", "ok", "volume_conflict"]
    yield _several(case, "volume-conflict-chain", "the last volume continues another second one", [first, other, third], astray)
    foreign = Volume(Export(export_id=OTHER_ID), [Mail(b"x")], header=_named_as(export))
    yield _several(case, "volume-foreign", "a volume of another export under the same key", [first, second, third, foreign], ["ok"] * 3 + ["volume_foreign"], complete=True)
    early = replace(second, last=True)
    yield _several(case, "volume-conflict-two-last", "two volumes say that they are the last", [first, early, third], ["ok", "ok", "volume_conflict"])
    after = Volume(export, [Mail(b"six")], 4, third)
    yield _several(case, "volume-conflict-after-last", "a volume after the last", [first, second, third, after], ["ok"] * 3 + ["volume_conflict"])
    longer = replace(second, mails=[Mail(b"three")] * 2)
    numbers = Volume(export, [Mail(b"four")], 3, longer, seal=lambda s: s | _previous(second))
    yield _several(case, "volume-conflict-numbers", "a volume leaves out a mail number", [first, second, numbers], ["ok", "ok", "volume_conflict"])
    sealed_first = Volume(Export("p"), [Mail(b"one")], last=False)
    resealed = Export("p")
    resealed.slots = [resealed.password_slot("p", memory_kib=16)]
    sealed_last = Volume(resealed, [Mail(b"two")], 2, sealed_first)
    yield _several(case, "volume-conflict-slots", "the key slots of two volumes differ", [sealed_first, sealed_last], ["ok", "volume_conflict"], password="p")
    lying = replace(third, seal=lambda s: s | {"total_raw_bytes": s["total_raw_bytes"] + 1})
    yield _several(case, "malformed-totals", "the totals of the last volume are not the sums", [first, second, lying], ["ok", "ok", "malformed"])


def _named_as(export):
    """Another export under the same key names the same certificate."""
    return lambda header: header | {"certificate_sha256": export.header(1)["certificate_sha256"]}


def _previous(volume):
    return {"previous_seal_sha256": sha256(volume.entries()[-2][1]).hex()}
