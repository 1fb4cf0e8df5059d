"""The template as plain CloudFormation: what SAM's transform makes of it, without AWS."""

import copy
import logging
import os
from pathlib import Path

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

INFRA = Path(__file__).parent
# The transform refuses a folder where `sam package` would have put an address in S3.
CODE = {"Bucket": "code", "Key": "bootstrap.zip"}
# The transform writes no region down, but asks for one.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
# It warns that nobody publishes its own metrics.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


def load():
    return yaml_parse((INFRA / "template.yaml").read_text())


def translate(template):
    template = copy.deepcopy(template)
    template["Globals"]["Function"]["CodeUri"] = CODE
    defaults = {name: spec.get("Default", "") for name, spec in template["Parameters"].items()}
    return Translator({}, Parser()).translate(template, defaults)
