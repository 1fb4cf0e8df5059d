#!/usr/bin/env bash
# Runs inside the container once LocalStack is ready: makes the bucket that `samlocal` and localstack/deploy put code into.
set -euo pipefail
awslocal s3api head-bucket --bucket code 2>/dev/null ||
  awslocal s3api create-bucket --bucket code --create-bucket-configuration LocationConstraint=eu-central-1
echo "postkahn: ready for localstack/deploy image"
