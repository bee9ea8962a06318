"""Uses the cloudlet's S3 by boto3, then with requests that were changed after they were signed."""

import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))

for key in ["plain", "a b/../ü", "a//b", "x:y@z=1,2+3"]:
    body = ("body of " + key).encode()
    s3.put_object(Bucket="bucket", Key=key, Body=body)
    assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == body, key
    assert s3.head_object(Bucket="bucket", Key=key)["ContentLength"] == len(body), key
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": key}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == body, key
found = s3.list_objects_v2(Bucket="bucket", Prefix="a")["Contents"]
assert [entry["Key"] for entry in found] == ["a b/../ü", "a//b"], found
s3.delete_object(Bucket="bucket", Key="plain")


def code(act):
    try:
        act()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


assert code(lambda: s3.get_object(Bucket="bucket", Key="plain")) == "NoSuchKey"
assert code(lambda: s3.list_objects_v2(Bucket="bucket")) is None

change = None
s3.meta.events.register("before-send.s3", lambda request, **_: change(request))


def other_body(request):
    request.body = b"other"


def other_key(request):
    request.url += "2"


def other_header(request):
    request.headers["x-amz-meta-a"] = "b"


def other_token(request):
    request.headers["x-amz-security-token"] = "x"


def other_hash(request):
    request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"


def chunks(request):
    request.headers["x-amz-content-sha256"] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


for change, refused in [
    (lambda request: None, None),
    (other_body, "SignatureDoesNotMatch"),
    (other_key, "SignatureDoesNotMatch"),
    (other_header, "AuthorizationHeaderMalformed"),
    (other_token, "InvalidAccessKeyId"),
    (other_hash, "SignatureDoesNotMatch"),
    (chunks, "AuthorizationHeaderMalformed"),
]:
    found = code(lambda: s3.put_object(Bucket="bucket", Key="changed", Body=b"21.5"))
    assert found == refused, (change, found, refused)
