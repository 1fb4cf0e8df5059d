"""Which IAM actions the role of each function allows, by the name of the binary, and those of S3 on which objects. Run as a
program, writes rights.json."""

import json

from stack import INFRA, load, translate

FILE = INFRA / "rights.json"


def listed(value):
    return value if isinstance(value, list) else [value]


def documents(resources, role):
    """The policies of a role: its own, and those of ours that it shares with others."""
    properties = resources[role]["Properties"]
    yield from (policy["PolicyDocument"] for policy in properties.get("Policies", []))
    for arn in properties.get("ManagedPolicyArns", []):
        if arn.get("Ref") in resources:
            yield resources[arn["Ref"]]["Properties"]["PolicyDocument"]


def objects(statement):
    """The buckets and keys that a statement of S3 is about: `archive/packs/*`."""
    for arn in listed(statement["Resource"]):
        text = arn["Fn::Sub"] if "Fn::Sub" in arn else "${%s}" % ".".join(arn["Fn::GetAtt"])
        bucket, _, key = text.partition("/")
        yield bucket.removeprefix("${").removesuffix("Bucket.Arn}").lower() + (f"/{key}" if key else "")


def rights(statement):
    for action in listed(statement["Action"]):
        if action.startswith("s3:"):
            yield from (f"{action} {where}" for where in objects(statement))
        else:
            yield action


def granted(resources):
    """Of a translated template's resources. Conditions are left out, and resources but for those of S3."""
    functions = {}
    for resource in resources.values():
        if resource["Type"] != "AWS::Lambda::Function":
            continue
        f = resource["Properties"]
        statements = [s for d in documents(resources, f["Role"]["Fn::GetAtt"][0]) for s in d["Statement"]]
        allowed = {right for s in statements if s["Effect"] == "Allow" for right in rights(s)}
        functions[f["FunctionName"]["Fn::Sub"].rpartition("-")[2]] = sorted(allowed)
    return dict(sorted(functions.items()))


if __name__ == "__main__":
    FILE.write_text(json.dumps(granted(translate(load())["Resources"]), indent=2) + "\n")
