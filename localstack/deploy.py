"""Deploys infra/template.yaml to an emulator and looks at what is really there afterwards.

A stack that says CREATE_COMPLETE proves nothing: moto skips what it does not know. So each resource is asked for at its
own service. What the emulator lacks is left out by name, and said.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "infra"))
from stack import CODE, load, translate  # noqa: E402

# Types that an emulator cannot make, with the reason.
LACKS = {
    # Its stacks "succeed" without these.
    "moto": dict.fromkeys(
        [
            *(f"AWS::ApiGatewayV2::{part}" for part in ("Api", "Integration", "Route", "Stage")),
            "AWS::CloudWatch::Alarm",
            "AWS::Lambda::EventInvokeConfig",
            "AWS::Lambda::Url",
            "AWS::S3::BucketPolicy",
            "AWS::SQS::QueuePolicy",
            "AWS::Scheduler::Schedule",
            "AWS::Scheduler::ScheduleGroup",
            "AWS::SecretsManager::Secret",
            "AWS::Transfer::Server",
        ],
        "moto's stacks do not know it",
    ),
    "core": {  # LocalStack from PyPI, without Docker
        "AWS::CloudWatch::Dashboard": "its stacks skip it",
        "AWS::DynamoDB::Table": "LocalStack downloads its engine",
        "AWS::Lambda::Function": "LocalStack runs functions in Docker only",
        "AWS::Lambda::EventSourceMapping": "needs the function",
        "AWS::Lambda::EventInvokeConfig": "needs the function",
        "AWS::Lambda::Permission": "needs the function",
        "AWS::Lambda::Url": "needs the function",
    },
    "image": {},
}
# What is made, but not as the template says.
GAPS = {
    "moto": {
        "UploadsBucket": "without LifecycleConfiguration, NotificationConfiguration, OwnershipControls, PublicAccessBlockConfiguration",
        "ArchiveBucket": "without LifecycleConfiguration, OwnershipControls, PublicAccessBlockConfiguration, VersioningConfiguration",
    },
    "core": {
        "UploadsBucket": "without LifecycleConfiguration",
        "ArchiveBucket": "without LifecycleConfiguration",
    },
    "image": {},
}


def without(document, lacking):
    """The stack without these types. What points at one of them gets the name that it would have had."""
    resources = document["Resources"]
    gone = {name: lacking[r["Type"]] for name, r in resources.items() if r["Type"] in lacking}

    def stands_in(name, attribute):
        kind = resources[name]["Type"].split("::")[1].lower()
        path = {"lambda": "function:", "dynamodb": "table/", "secretsmanager": "secret:"}.get(kind, "")
        properties = resources[name]["Properties"]
        own = properties.get("FunctionName", properties.get("Name", {"Fn::Sub": f"${{AWS::StackName}}-{name.lower()}"}))
        if attribute != "Arn" and kind != "secretsmanager":  # whose Ref is its ARN
            return own
        return {"Fn::Join": ["", [{"Fn::Sub": f"arn:aws:{kind}:${{AWS::Region}}:${{AWS::AccountId}}:{path}"}, own]]}

    def mend(value):
        if isinstance(value, list):
            return [mend(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Ref"} and value["Ref"] in gone:
            return stands_in(value["Ref"], "Ref")
        if value.keys() == {"Fn::GetAtt"} and value["Fn::GetAtt"][0] in gone:
            return stands_in(*value["Fn::GetAtt"])
        if value.keys() == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
            return {"Fn::Sub": mend_text(value["Fn::Sub"])}
        return {key: mend(item) for key, item in value.items()}

    def mend_text(text):
        for name in gone:
            own = stands_in(name, "Ref")
            plain = own if isinstance(own, str) else own.get("Fn::Sub", f"${{{own.get('Ref')}}}")
            text = text.replace(f"${{{name}}}", plain)
        return text

    kept = {name: mend(r) for name, r in resources.items() if name not in gone}
    for resource in kept.values():
        if resource["Type"] == "AWS::KMS::Key":  # AWS and LocalStack set one by themselves, moto breaks without
            every = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
            resource["Properties"].setdefault("KeyPolicy", json.dumps({"Version": "2012-10-17", "Statement": [every]}))
    return {**document, "Resources": kept, "Outputs": mend(document["Outputs"])}, gone


def client(service):
    return boto3.client(service)


def upload_code():
    """Functions need some code in S3; here an empty archive, for nothing is invoked."""
    s3 = client("s3")
    try:
        s3.create_bucket(Bucket=CODE["Bucket"], CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass
    s3.put_object(Bucket=CODE["Bucket"], Key=CODE["Key"], Body=b"PK\x05\x06" + bytes(18))
    return s3


def deploy(stack, document, parameters, emulator):
    s3 = upload_code()
    body = json.dumps(document)
    template = {"TemplateBody": body}
    if emulator != "moto":  # which finds no template in a bucket, but minds no size; a request carries 51,200 bytes
        s3.put_object(Bucket=CODE["Bucket"], Key="template.json", Body=body.encode())
        template = {"TemplateURL": f"{s3.meta.endpoint_url}/{CODE['Bucket']}/template.json"}
    cloudformation = client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    cloudformation.create_stack(StackName=stack, Parameters=given, Capabilities=["CAPABILITY_IAM"], **template)
    for _ in range(240):
        state = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if not state["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(0.5)
    if state["StackStatus"] != "CREATE_COMPLETE":
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        reasons = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in events if "FAILED" in e["ResourceStatus"]]
        sys.exit(f"{stack}: {state['StackStatus']}\n" + "\n".join(reasons))
    found = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if r.get("PhysicalResourceId")}


def name_of(arn):
    return arn.rpartition("/")[2]


def api_child(kind):
    """Routes and the like are found under their API."""

    def look(identity, _, ids):
        children = getattr(client("apigatewayv2"), f"get_{kind}s")(ApiId=ids["Api"])["Items"]
        return any(identity in (child.get(f"{kind.capitalize()}Id"), child.get("StageName")) for child in children)

    return look


def bucket(identity, properties, _):
    """The parts of it that are not there."""
    s3 = client("s3")
    ask = {
        "BucketEncryption": s3.get_bucket_encryption,
        "PublicAccessBlockConfiguration": s3.get_public_access_block,
        "OwnershipControls": s3.get_bucket_ownership_controls,
        "LifecycleConfiguration": s3.get_bucket_lifecycle_configuration,
        "NotificationConfiguration": lambda Bucket: s3.get_bucket_notification_configuration(Bucket=Bucket)["QueueConfigurations"],
        "VersioningConfiguration": lambda Bucket: s3.get_bucket_versioning(Bucket=Bucket)["Status"],
    }
    s3.head_bucket(Bucket=identity)
    lacking = []
    for part in sorted(ask.keys() & properties.keys()):
        try:
            ask[part](Bucket=identity)
        except (ClientError, KeyError):
            lacking.append(part)
    return f"without {', '.join(lacking)}" if lacking else True


def queue_policy(_, properties, ids):
    url = ids[properties["Queues"][0]["Ref"]]
    return "Policy" in client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


# How to ask for a resource by its physical id, properties and the ids of the others; an error or something empty means
# that it is not there.
LOOK = {
    "S3::Bucket": bucket,
    "S3::BucketPolicy": lambda _, p, ids: client("s3").get_bucket_policy(Bucket=ids[p["Bucket"]["Ref"]]),
    "SQS::Queue": lambda i, *_: client("sqs").get_queue_attributes(QueueUrl=i, AttributeNames=["All"]),
    "SQS::QueuePolicy": queue_policy,
    "KMS::Key": lambda i, *_: client("kms").describe_key(KeyId=i),
    "KMS::Alias": lambda i, *_: client("kms").describe_key(KeyId=i),
    "IAM::Role": lambda i, *_: client("iam").list_role_policies(RoleName=i)["PolicyNames"],
    "IAM::ManagedPolicy": lambda i, *_: client("iam").get_policy(PolicyArn=i),
    "Logs::LogGroup": lambda i, *_: client("logs").describe_log_groups(logGroupNamePrefix=i)["logGroups"],
    "DynamoDB::Table": lambda i, *_: client("dynamodb").describe_table(TableName=i),
    "Lambda::Function": lambda i, *_: client("lambda").get_function(FunctionName=i),
    "Lambda::EventSourceMapping": lambda i, *_: client("lambda").get_event_source_mapping(UUID=i),
    "Lambda::Permission": lambda _, p, ids: client("lambda").get_policy(FunctionName=ids[p["FunctionName"]["Ref"]]),
    "Lambda::EventInvokeConfig": lambda _, p, ids: client("lambda").get_function_event_invoke_config(
        FunctionName=ids[p["FunctionName"]["Ref"]]
    ),
    "Lambda::Url": lambda i, *_: client("lambda").get_function_url_config(FunctionName=i),
    "Scheduler::ScheduleGroup": lambda i, *_: client("scheduler").get_schedule_group(Name=name_of(i)),
    "Scheduler::Schedule": lambda i, p, ids: client("scheduler").get_schedule(Name=i, GroupName=ids["ScheduleGroup"])["Target"]["Input"]
    == p["Target"]["Input"],
    "SecretsManager::Secret": lambda i, *_: client("secretsmanager").describe_secret(SecretId=i),
    "ApiGatewayV2::Api": lambda i, *_: client("apigatewayv2").get_api(ApiId=i),
    "ApiGatewayV2::Integration": api_child("integration"),
    "ApiGatewayV2::Route": api_child("route"),
    "ApiGatewayV2::Stage": api_child("stage"),
    "CloudWatch::Alarm": lambda i, *_: client("cloudwatch").describe_alarms(AlarmNames=[name_of(i)])["MetricAlarms"],
    "CloudWatch::Dashboard": lambda i, *_: client("cloudwatch").get_dashboard(DashboardName=name_of(i)),
    "SNS::Topic": lambda i, *_: client("sns").get_topic_attributes(TopicArn=i),
}


def is_there(resource, name, ids):
    """None if it is; else why not."""
    try:
        look = LOOK[resource["Type"].removeprefix("AWS::")]
        found = look(ids.get(name, ""), resource["Properties"], ids)
        return found if isinstance(found, str) else None if found else "nothing there"
    except KeyError as error:
        return f"no physical id {error}"
    except (ClientError, BotoCoreError) as error:
        return str(error)


def wakes(ids):
    """Whether an upload sends a message to the queue, by the bucket's notification and the queue's policy."""
    s3, sqs, queue = client("s3"), client("sqs"), ids["UploadsQueue"]
    s3.put_object(Bucket=ids["UploadsBucket"], Key="anna/deployed", Body=b"x")
    told = False
    for _ in range(5):  # S3 also sends a test event when the notification is set
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2, MaxNumberOfMessages=10).get("Messages", []):
            told = told or "anna/deployed" in message["Body"]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    s3.delete_object(Bucket=ids["UploadsBucket"], Key="anna/deployed")
    print("an upload is told to the queue" if told else "MISSING   an upload is not told to the queue")
    return told


def applies(resource, parameters):
    condition = resource.get("Condition")
    emulated = parameters["Emulated"] == "true"
    return {None: True, "OnAws": not emulated, "OnEmulator": emulated, "HasDashboard": True}.get(condition, False)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--stack", default="postkahn")
    options.add_argument("--emulator", choices=LACKS, required=True)
    options = options.parse_args()
    emulator = options.emulator
    parameters = {"Emulated": "false" if emulator == "moto" else "true", "DeletionProtection": "false"}
    document, gone = without(translate(load()), LACKS[emulator])
    ids = deploy(options.stack, document, parameters, emulator)
    wanted = {name: r for name, r in document["Resources"].items() if applies(r, parameters)}
    faults = {name: fault for name, r in wanted.items() if (fault := is_there(r, name, ids))}
    for name, reason in sorted(gone.items()):
        print(f"left out  {name}: {reason}")
    for name in sorted(document["Resources"].keys() - wanted.keys()):
        print(f"left out  {name}: its condition does not hold here")
    known = GAPS[emulator]
    for name, fault in faults.items():
        print(f"{'known    ' if known.get(name) == fault else 'MISSING  '} {name}: {fault}")
    print(f"{len(wanted) - len(faults)} of {len(wanted)} resources are there as described, {len(gone)} left out ({emulator})")
    sound = all(known.get(name) == fault for name, fault in faults.items())
    if emulator != "moto":  # whose stacks forget the notification
        sound = wakes(ids) and sound
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
