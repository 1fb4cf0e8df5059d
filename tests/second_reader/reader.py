"""Files in, one document out."""

from errors import Refused
from export import judge
from volume import open_volume


def read(paths, certificate, password, key):
    files = [_open(path, certificate, password, key) for path in paths]
    states, missing, complete = judge(files)
    shown = []
    for path, file, state in zip(paths, files, states):
        one = {"file": path.name, "state": state, "reason": None, "volume": None, "mails": [], "differs_at": None}
        if isinstance(file, Refused):
            one["reason"] = file.reason
        elif state != "malformed":
            one |= {"volume": file.seal["volume"], "mails": file.mails, "differs_at": file.differs_at}
        shown.append(one)
    return {"volumes": shown, "missing_volumes": missing, "complete": complete}


def _open(path, certificate, password, key):
    try:
        return open_volume(path.read_bytes(), certificate, password, key)
    except Refused as refusal:
        return refusal
