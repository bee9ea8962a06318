"""boto3: puts an object twice a second until the file STOP is there. The first call that fails ends it."""

import pathlib
import sys
import time

import boto3
from botocore.config import Config

bucket, stop = sys.argv[1:]
# No retries, so that a failing request is noticed.
s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
calls = 0
while not pathlib.Path(stop).exists():
    s3.put_object(Bucket=bucket, Key=str(calls), Body=b"21.5")
    calls += 1
    time.sleep(0.5)
print(calls)
