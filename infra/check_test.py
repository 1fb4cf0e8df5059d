"""Each check must be able to fail: breaks the template in one place after the other and waits for the fault."""

import copy
import unittest

import check
from stack import load

TEMPLATE = load()


def properties(template, name):
    return template["Resources"][name]["Properties"]


def statement(template, role, sid):
    policy = properties(template, role)
    documents = [p["PolicyDocument"] for p in policy.get("Policies", [])] or [policy["PolicyDocument"]]
    return next(s for d in documents for s in d["Statement"] if s.get("Sid") == sid)


def put(name, *path_and_value):
    """Sets a property of a resource; None removes it."""
    *path, key, value = path_and_value

    def change(template):
        target = properties(template, name)
        for step in path:
            target = target[step]
        if value is None:
            del target[key]
        else:
            target[key] = value

    return change


def let(role, sid, key, value):
    return lambda template: statement(template, role, sid).__setitem__(key, value)


def drop(name, attribute):
    return lambda template: template["Resources"][name].pop(attribute)


def runtime(template):
    template["Globals"]["Function"]["Architectures"] = ["x86_64"]


def rename(template):
    properties(template, "LoginFunction")["FunctionName"] = {"Fn::Sub": "${AWS::StackName}-entrance"}


def tls(name):
    return lambda template: properties(template, name)["PolicyDocument"]["Statement"].__delitem__(0)


def only_bucket(template):
    statement(template, "ArchiveBucketPolicy", "TlsOnly")["Resource"] = [{"Fn::GetAtt": ["ArchiveBucket", "Arn"]}]


def no_unfinished(template):
    rules = properties(template, "UploadsBucket")["LifecycleConfiguration"]["Rules"]
    rules[:] = [r for r in rules if r["Id"] != "unfinished"]


VARIABLES = ("Environment", "Variables")
UPLOADS = ("Events", "Uploads", "Properties")
BREAKS = [
    ("environment", "environment.json has", rename),
    ("environment", "login: POSTKAHN_UPLOADER_ROLE is missing", put("LoginFunction", *VARIABLES, {})),
    ("environment", "login: POSTKAHN_DOOR is not read", put("LoginFunction", *VARIABLES, "POSTKAHN_DOOR", "none")),
    ("functions", "share a role", put("IntakeFunction", "Role", {"Fn::GetAtt": ["HttpRole", "Arn"]})),
    ("functions", "no arm64", runtime),
    ("functions", "no log group", put("SweepFunction", "LoggingConfig", None)),
    ("functions", "30 days", put("SweepLog", "RetentionInDays", None)),
    ("rights", "too wide", let("LoginRole", "Users", "Action", "dynamodb:*")),
    ("rights", "too wide", let("LoginRole", "Users", "Action", ["dynamodb:Get*"])),
    ("rights", "names nothing", let("LoginRole", "Users", "Resource", "*")),
    ("rights", "names nothing", let("DoorPolicy", "ListServers", "Action", "transfer:DeleteServer")),
    ("rights", "not of this account", let("DoorPolicy", "LookAtServers", "Resource", {"Fn::Sub": "arn:aws:transfer:*:*:server/*"})),
    ("rights", "not ours", put("LoginRole", "ManagedPolicyArns", [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/ReadOnly"}])),
    ("rights_file", "rights.json has", rename),
    ("rights_file", "login: dynamodb:Scan is missing in", let("LoginRole", "Users", "Action", ["dynamodb:GetItem", "dynamodb:Scan"])),
    ("rights_file", "sweep: sqs:SendMessage is only in", let("SweepRole", "Send", "Effect", "Deny")),
    ("rights_file", "http: transfer:CreateServer is only in", put("HttpRole", "ManagedPolicyArns", None)),
    ("s3_only", "HttpRole.Store: opens", let("HttpRole", "Store", "Condition", {})),
    ("s3_only", "HttpRole.Wrap: opens", let("HttpRole", "Wrap", "Action", ["kms:Encrypt", "kms:Decrypt"])),
    ("markers", "UploaderRole: Deny", let("UploaderRole", "Markers", "Resource", {"Fn::Sub": "${UploadsBucket.Arn}/(Pending) *"})),
    ("markers", "IntakeRole: Allow", let("IntakeRole", "Markers", "Resource", {"Fn::Sub": "${UploadsBucket.Arn}/*"})),
    ("markers", "HttpRole.Uploads: writes", let("HttpRole", "Uploads", "Action", ["s3:GetObject", "s3:PutObject"])),
    ("passed_roles", "PassToScheduler: passes", let("HttpRole", "PassToScheduler", "Condition", {})),
    ("passed_roles", "PassToTransfer: passes", let("DoorPolicy", "PassToTransfer", "Resource", {"Fn::GetAtt": ["HttpRole", "Arn"]})),
    ("queues", "no redrive policy", put("TasksQueue", "RedrivePolicy", None)),
    ("queues", "no redrive policy", put("TasksQueue", "RedrivePolicy", "maxReceiveCount", 3)),
    ("queues", "2 dead-letter queues", put("TasksQueue", "RedrivePolicy", "deadLetterTargetArn", {"Fn::GetAtt": ["ImportsQueue", "Arn"]})),
    ("queues", "not kept for 14 days", put("DeadLetters", "MessageRetentionPeriod", 345600)),
    ("queues", "not encrypted", put("TasksQueue", "SqsManagedSseEnabled", False)),
    ("queues", "UploadsQueue: may be used without TLS", tls("UploadsQueuePolicy")),
    ("queues", "DeadLetters: may be used without TLS", tls("DeadLettersPolicy")),
    ("buckets", "not private", put("ArchiveBucket", "PublicAccessBlockConfiguration", "BlockPublicPolicy", False)),
    ("buckets", "not encrypted", put("UploadsBucket", "BucketEncryption", None)),
    ("buckets", "unfinished uploads stay", no_unfinished),
    ("buckets", "UploadsBucket: may be used without TLS", tls("UploadsBucketPolicy")),
    ("buckets", "ArchiveBucket: may be used without TLS", only_bucket),
    ("buckets", "after 7 days", put("UploadsBucket", "LifecycleConfiguration", "Rules", 0, "ExpirationInDays", 30)),
    ("buckets", "does not tell", put("UploadsBucket", "NotificationConfiguration", None)),
    ("buckets", "no versions", put("ArchiveBucket", "VersioningConfiguration", None)),
    ("buckets", "expire", put("ArchiveBucket", "LifecycleConfiguration", "Rules", 0, "Prefix", "")),
    ("buckets", "ArchiveBucket: goes with the stack", drop("ArchiveBucket", "DeletionPolicy")),
    ("kept", "Table: goes", drop("Table", "DeletionPolicy")),
    ("kept", "WrapKey: goes", drop("WrapKey", "UpdateReplacePolicy")),
    ("kept", "PointInTimeRecovery", put("Table", "PointInTimeRecoverySpecification", None)),
    ("keys", "keys are", put("WrapKey", "EnableKeyRotation", False)),
    ("keys", "keys are", put("AgreementKey", "KeyUsage", "SIGN_VERIFY")),
    ("sources", "hides for 300", put("ImportsQueue", "VisibilityTimeout", 300)),
    ("sources", "hides for 120", put("IntakeFunction", "Timeout", 90)),
    ("sources", "whole batch", put("IntakeFunction", *UPLOADS, "FunctionResponseTypes", None)),
    ("sources", "no maximum", put("IntakeFunction", *UPLOADS, "ScalingConfig", None)),
    ("sources", "may not sqs:ReceiveMessage", let("IntakeRole", "Receive", "Action", ["sqs:DeleteMessage"])),
    ("sources", "batch sizes", put("IntakeFunction", *UPLOADS, "BatchSize", 100)),
    ("front", "no throttling", put("ApiStage", "DefaultRouteSettings", None)),
    ("front", "callers ask for", put("ApiStage", "AccessLogSettings", "Format", '{"q":"$context.querystring"}')),
    ("front", "has given up", put("HttpFunction", "Timeout", 60)),
    ("doors", "OwnServers may act", let("DoorPolicy", "OwnServers", "Condition", {})),
    ("front", "Transfer may not", put("LoginPermission", "Principal", "s3.amazonaws.com")),
]


class Checks(unittest.TestCase):
    def test_the_template_is_sound(self):
        self.assertEqual(check.faults(TEMPLATE), [])

    def test_each_break_is_found(self):
        for name, words, change in BREAKS:
            with self.subTest(name, words=words):
                broken = copy.deepcopy(TEMPLATE)
                change(broken)
                found = [fault for by, fault in check.faults(broken) if by == name]
                self.assertTrue(any(words in fault for fault in found), f"expected {words!r}, found {found}")

    def test_each_check_is_broken_once(self):
        self.assertEqual({name for name, _, _ in BREAKS}, {c.__name__ for c in check.CHECKS})


if __name__ == "__main__":
    unittest.main()
