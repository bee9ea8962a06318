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

tag = s3.put_object(Bucket="bucket", Key="in/a", Body=b"0123456789", Metadata={"mode": "33188"})["ETag"]
assert tag == '"781e5e245d69b566979b86e28d23f2c7"', tag
head = s3.head_object(Bucket="bucket", Key="in/a")
assert head["Metadata"] == {"mode": "33188"} and head["ETag"] == tag and head["LastModified"].year >= 2026, head
for part, body in [("bytes=0-3", b"0123"), ("bytes=8-", b"89"), ("bytes=8-99", b"89")]:
    assert s3.get_object(Bucket="bucket", Key="in/a", Range=part)["Body"].read() == body, part
s3.copy_object(Bucket="bucket", Key="in/b", CopySource="bucket/in/a")
assert s3.get_object(Bucket="bucket", Key="in/b")["Body"].read() == b"0123456789"
found = s3.list_objects_v2(Bucket="bucket", Delimiter="/")
assert [entry["Prefix"] for entry in found["CommonPrefixes"]] == ["a b/", "a/", "in/"], found
assert [entry["Key"] for entry in found["Contents"]] == ["x:y@z=1,2+3"], found
s3.head_bucket(Bucket="bucket")


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
