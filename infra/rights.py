"""Which IAM actions the role of each function allows, by the name of the binary. Run as a program, writes rights.json."""

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


def granted(resources):
    """Of a translated template's resources. Conditions and resources of a statement are left out."""
    functions = {}
    for resource in resources.values():
        if resource["Type"] != "AWS::Lambda::Function":
            continue
        f = resource["Properties"]
        statements = [s for d in documents(resources, f["Role"]["Fn::GetAtt"][0]) for s in d["Statement"]]
        allowed = {action for s in statements if s["Effect"] == "Allow" for action in listed(s["Action"])}
        functions[f["FunctionName"]["Fn::Sub"].rpartition("-")[2]] = sorted(allowed)
    return dict(sorted(functions.items()))


if __name__ == "__main__":
    FILE.write_text(json.dumps(granted(translate(load())["Resources"]), indent=2) + "\n")
