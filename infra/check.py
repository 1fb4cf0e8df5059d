"""Walks the template, as plain CloudFormation, and says what is wrong in it. `check_test.py` breaks it on purpose."""

import json
import sys

import rights as by_function
from rights import listed
from stack import INFRA, load, translate

# Actions for which AWS knows no ARN.
WITHOUT_ARN = {"transfer:ListServers", "scheduler:ListSchedules"}
RETAINED = {"AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"}
DAY_SECONDS = 24 * 3600


class Stack:
    def __init__(self, document):
        self.resources = document["Resources"]

    def of(self, kind):
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == f"AWS::{kind}"}

    def functions(self):
        """By the name of the binary."""
        return {f["FunctionName"]["Fn::Sub"].rpartition("-")[2]: f for f in self.of("Lambda::Function").values()}

    def mappings(self):
        """Event source mappings with the function and queue that they tie together."""
        for mapping in self.of("Lambda::EventSourceMapping").values():
            function = self.resources[mapping["FunctionName"]["Ref"]]["Properties"]
            yield mapping, function, mapping["EventSourceArn"]["Fn::GetAtt"][0]

    def statements(self):
        """Each statement of a role, with where it stands."""
        documents = [(name, p["PolicyDocument"]) for name, p in self.of("IAM::ManagedPolicy").items()]
        for name, role in self.of("IAM::Role").items():
            documents += [(name, policy["PolicyDocument"]) for policy in role.get("Policies", [])]
        for name, document in documents:
            for statement in document["Statement"]:
                yield f"{name}.{statement['Sid']}", statement

    def has_tls_policy(self, kind, target):
        for policy in self.of(kind).values():
            if {"Ref": target} not in listed(policy.get("Queues", policy.get("Bucket"))):
                continue
            for statement in policy["PolicyDocument"]["Statement"]:
                arns = listed(statement["Resource"])
                whole = {"Fn::GetAtt": [target, "Arn"]} in arns
                if kind == "S3::BucketPolicy":
                    whole = whole and {"Fn::Sub": f"${{{target}.Arn}}/*"} in arns
                refused = statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
                if whole and refused and statement["Effect"] == "Deny" and statement["Principal"] == "*":
                    return statement["Action"] in ("s3:*", "sqs:*")
        return False


def environment(stack):
    needs = json.loads((INFRA / "environment.json").read_text())
    functions = stack.functions()
    if functions.keys() != needs.keys():
        yield f"functions {sorted(functions)}, but environment.json has {sorted(needs)}"
    for name in functions.keys() & needs.keys():
        given = set(functions[name]["Environment"]["Variables"])
        for variable in sorted(given ^ set(needs[name])):
            yield f"{name}: {variable} is {'not read by its code' if variable in given else 'missing'}"


def functions(stack):
    roles = [f["Role"]["Fn::GetAtt"][0] for f in stack.functions().values()]
    if len(set(roles)) != len(roles):
        yield "two functions share a role"
    for name, f in stack.functions().items():
        if (f["Architectures"], f["Runtime"], f["Handler"]) != (["arm64"], "provided.al2023", "bootstrap"):
            yield f"{name}: is no arm64 function on provided.al2023"
        group = f.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        if group not in stack.of("Logs::LogGroup"):
            yield f"{name}: has no log group of ours"
    for name, group in stack.of("Logs::LogGroup").items():
        if group.get("RetentionInDays") != 30:
            yield f"{name}: is not kept for 30 days"


def rights(stack):
    for where, statement in stack.statements():
        actions = listed(statement["Action"])
        for action in actions:
            if "*" in action:
                yield f"{where}: action {action} is too wide"
        for resource in listed(statement["Resource"]):
            if isinstance(resource, str) and not (resource == "*" and set(actions) <= WITHOUT_ARN):
                yield f"{where}: resource {resource} names nothing of this stack"
            account = "${AWS::AccountId}"
            if isinstance(resource, dict) and "arn:" in resource.get("Fn::Sub", "") and account not in resource["Fn::Sub"]:
                yield f"{where}: resource {resource['Fn::Sub']} is not of this account"
    for name, role in stack.of("IAM::Role").items():
        for arn in role.get("ManagedPolicyArns", []):
            if arn.get("Ref") not in stack.of("IAM::ManagedPolicy"):
                yield f"{name}: a managed policy that is not ours"


def rights_file(stack):
    """The tests compare what the functions send with rights.json, so it must be what the template says."""
    granted, written = by_function.granted(stack.resources), json.loads(by_function.FILE.read_text())
    if granted.keys() != written.keys():
        yield f"functions {sorted(granted)}, but rights.json has {sorted(written)}"
    for name in granted.keys() & written.keys():
        for action in sorted(set(granted[name]) ^ set(written[name])):
            where = "missing in" if action in granted[name] else "only in"
            yield f"{name}: {action} is {where} rights.json, which infra/rights.py writes"


def s3_only(stack):
    """Where content keys are not unwrapped, the key that wraps them serves the buckets and nothing else."""
    for where, statement in stack.statements():
        role, _, sid = where.partition(".")
        on_key = {"Fn::GetAtt": ["WrapKey", "Arn"]} in listed(statement["Resource"])
        if not on_key or (role in ("IntakeRole", "ImportRole") and sid in ("Wrap", "Unwrap")):
            continue
        shut = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.amazonaws.com"}}}
        if set(listed(statement["Action"])) - {"kms:Encrypt"} and statement.get("Condition") != shut:
            yield f"{where}: opens content keys"


def markers(stack):
    """Markers show the states of uploads: only the function that looks at them writes them, and it writes nothing else."""
    wanted = {"IntakeRole": ("Allow", "*"), "UploaderRole": ("Deny", "*/")}
    for role, (effect, folder) in wanted.items():
        names = [{"Fn::Sub": f"${{UploadsBucket.Arn}}/{folder}({state}) *"} for state in ("Pending", "Rejected")]
        about = [s for where, s in stack.statements() if where == f"{role}.Markers"]
        if [(s["Effect"], s["Action"], s["Resource"]) for s in about] != [(effect, "s3:PutObject", names)]:
            yield f"{role}: {effect} of markers is not what it was"
    for where, statement in stack.statements():
        targets = [r["Fn::Sub"] for r in listed(statement["Resource"]) if isinstance(r, dict) and "Fn::Sub" in r]
        writes = "s3:PutObject" in listed(statement["Action"]) and any("${UploadsBucket.Arn}" in t for t in targets)
        if writes and where not in ("IntakeRole.Markers", "UploaderRole.Files", "UploaderRole.Markers"):
            yield f"{where}: writes uploads"


def passed_roles(stack):
    for where, statement in stack.statements():
        if "iam:PassRole" not in listed(statement["Action"]):
            continue
        service = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
        role = stack.of("IAM::Role").get(statement["Resource"]["Fn::GetAtt"][0])
        trusted = [s["Principal"]["Service"] for s in role["AssumeRolePolicyDocument"]["Statement"]] if role else []
        if service is None or trusted != [service]:
            yield f"{where}: passes a role without saying to which service, or to one that the role does not trust"


def queues(stack):
    all_queues = stack.of("SQS::Queue")
    targets = {q["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] for q in all_queues.values() if "RedrivePolicy" in q}
    if len(targets) != 1:
        yield f"{len(targets)} dead-letter queues"
    for name, queue in all_queues.items():
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name}: is not encrypted"
        if not stack.has_tls_policy("SQS::QueuePolicy", name):
            yield f"{name}: may be used without TLS"
        if name in targets:
            if queue["MessageRetentionPeriod"] != 14 * DAY_SECONDS:
                yield f"{name}: dead letters are not kept for 14 days"
        elif queue.get("RedrivePolicy", {}).get("maxReceiveCount") != 20:
            yield f"{name}: has no redrive policy after 20 receives"


def buckets(stack):
    for name, bucket in stack.of("S3::Bucket").items():
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if len(block) != 4 or not all(value is True for value in block.values()):
            yield f"{name}: is not private"
        encryption = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [{}])[0]
        by = encryption.get("ServerSideEncryptionByDefault", {})
        if by.get("KMSMasterKeyID") != {"Fn::GetAtt": ["WrapKey", "Arn"]} or not encryption.get("BucketKeyEnabled"):
            yield f"{name}: is not encrypted by the wrap key with a bucket key"
        rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
        if {"DaysAfterInitiation": 1} not in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]:
            yield f"{name}: unfinished uploads stay"
        if not stack.has_tls_policy("S3::BucketPolicy", name):
            yield f"{name}: may be used without TLS"
    yield from uploads_bucket(stack.of("S3::Bucket")["UploadsBucket"])
    yield from archive_bucket(stack.resources["ArchiveBucket"])


def uploads_bucket(bucket):
    if 7 not in [r.get("ExpirationInDays") for r in bucket["LifecycleConfiguration"]["Rules"] if "Prefix" not in r]:
        yield "UploadsBucket: uploads are not deleted after 7 days"
    told = bucket.get("NotificationConfiguration", {}).get("QueueConfigurations", [])
    if told != [{"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": ["UploadsQueue", "Arn"]}}]:
        yield "UploadsBucket: does not tell the uploads queue of every new object"


def archive_bucket(resource):
    bucket = resource["Properties"]
    if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
        yield "ArchiveBucket: has no versions"
    expiring = [r.get("Prefix") for r in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in r]
    if expiring != ["temporary/"]:
        yield f"ArchiveBucket: objects below {expiring} expire"
    if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != ("Retain", "Retain"):
        yield "ArchiveBucket: goes with the stack"


def kept(stack):
    for name, resource in stack.resources.items():
        if resource["Type"] not in RETAINED:
            continue
        if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != ("Retain", "Retain"):
            yield f"{name}: goes with the stack"
    table = stack.of("DynamoDB::Table")["Table"]
    wanted = {
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "DeletionProtectionEnabled": {"Ref": "DeletionProtection"},
    }
    for name, value in wanted.items():
        if table.get(name) != value:
            yield f"Table: {name} is not {value}"


def keys(stack):
    found = {name: (k.get("KeySpec"), k.get("KeyUsage"), k.get("EnableKeyRotation")) for name, k in stack.of("KMS::Key").items()}
    wanted = {
        "WrapKey": (None, None, True),
        "AgreementKey": ("ECC_NIST_P256", "KEY_AGREEMENT", None),
        "SigningKey": ("ECC_NIST_P256", "SIGN_VERIFY", None),
    }
    if found != wanted:
        yield f"keys are {found}"


def sources(stack):
    """A queue hides a message for as long as its function may take, and a minute; the function may receive from it."""
    batches = {"UploadsQueue": 10, "ImportsQueue": 1, "TasksQueue": 1}
    seen = {}
    for mapping, function, queue in stack.mappings():
        seen[queue] = mapping["BatchSize"]
        visible = stack.of("SQS::Queue")[queue]["VisibilityTimeout"]
        if visible != function["Timeout"] + 60:
            yield f"{queue}: hides for {visible} s what its function does in {function['Timeout']} s"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{queue}: a failure counts for the whole batch"
        if not mapping.get("ScalingConfig", {}).get("MaximumConcurrency"):
            yield f"{queue}: no maximum concurrency"
        role = function["Role"]["Fn::GetAtt"][0]
        may = {
            action
            for where, statement in stack.statements()
            if where.startswith(f"{role}.") and {"Fn::GetAtt": [queue, "Arn"]} in listed(statement["Resource"])
            for action in listed(statement["Action"])
        }
        for action in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"):
            if f"sqs:{action}" not in may:
                yield f"{role}: may not sqs:{action} on {queue}"
    if seen != batches:
        yield f"batch sizes are {seen}"


def front(stack):
    stage = stack.of("ApiGatewayV2::Stage")["ApiStage"]
    if not stage.get("DefaultRouteSettings", {}).get("ThrottlingRateLimit"):
        yield "ApiStage: no throttling"
    format = stage["AccessLogSettings"]["Format"]
    if "querystring" in format.lower() or "authorizer" in format.lower() or not isinstance(json.loads(format), dict):
        yield "ApiStage: the log holds what callers ask for"
    if stack.functions()["http"]["Timeout"] >= 30:
        yield "http: works on when the HTTP API has given up"
    permission = stack.of("Lambda::Permission")["LoginPermission"]
    if permission["Principal"] != "transfer.amazonaws.com" or ":server/" not in permission["SourceArn"]["Fn::Sub"]:
        yield "LoginPermission: Transfer may not call login"


def doors(stack):
    """Servers of others in the same account are looked at and no more: the tag is the one of crates/aws."""
    for where, statement in stack.statements():
        changing = [a for a in listed(statement["Action"]) if a.startswith("transfer:")]
        tags = {key for test in statement.get("Condition", {}).values() for key in test}
        harmless = {"transfer:ListServers", "transfer:DescribeServer", "transfer:DeleteHostKey"}
        if set(changing) - harmless and not tags & {"aws:RequestTag/postkahn", "aws:ResourceTag/postkahn"}:
            yield f"{where} may act on SFTP servers that are not ours"


CHECKS = [environment, functions, rights, rights_file, s3_only, markers, passed_roles, queues, buckets, kept, keys, sources, front, doors]


def faults(template):
    stack = Stack(translate(template))
    return [(check.__name__, fault) for check in CHECKS for fault in check(stack)]


if __name__ == "__main__":
    found = faults(load())
    for check, fault in found:
        print(f"{check}: {fault}", file=sys.stderr)
    sys.exit(1 if found else 0)
