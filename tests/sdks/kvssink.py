"""Puts objects with keys from a file in the manner of kvssink (its FileCredentialProvider.c) until the file STOP is there.

kvssink reads five words, and reads them again only once they are about to expire.
"""

import calendar
import pathlib
import sys
import time

import boto3
from botocore.config import Config

file, bucket, stop = sys.argv[1:]
# MIN_STREAMING_TOKEN_EXPIRATION_DURATION and the grace periods of the producer SDK, in seconds.
GRACE = 45
client, expires, calls = None, 0, 0
while not pathlib.Path(stop).exists():
    if time.time() + GRACE > expires:
        marker, key, expiration, secret, token = pathlib.Path(file).read_text().split()
        assert marker == "CREDENTIALS", marker
        expires = calendar.timegm(time.strptime(expiration, "%Y-%m-%dT%H:%M:%SZ"))
        # Values that createDefaultCallbacksProviderWithFileAuth refuses.
        assert expires > time.time(), "the keys have expired"
        client = boto3.client(
            "s3",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            region_name="us-east-2",
            config=Config(retries={"total_max_attempts": 1}),
        )
    client.put_object(Bucket=bucket, Key=str(calls), Body=b"frame")
    calls += 1
    time.sleep(0.5)
print(calls)
