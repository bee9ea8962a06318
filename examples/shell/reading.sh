#!/bin/sh
# Uploads a reading to S3 and announces it on MQTT: reading.sh BUCKET
#
# No SDK: gatepost signs the request, so that this program never sees the credentials.
set -eu
bucket=${1:?usage: reading.sh BUCKET}
region=${AWS_REGION:-us-east-2}

file=$(mktemp)
trap 'rm -f "$file"' EXIT
echo '{"temperature": 21.5}' >"$file"

url="https://$bucket.s3.$region.amazonaws.com/reading.json"
hash=$(sha256sum "$file" | cut -d ' ' -f 1)
gatepost sign --service s3 --region "$region" --alias telemetry --method PUT --payload-hash "$hash" "$url" |
    curl -sS --fail-with-body -H @- --upload-file "$file" "$url"

# When the command ends, the message is on the gateway's disk; from then on gatepost sends it until AWS has acknowledged it. gatepost
# replaces {thing} with the thing name.
gatepost publish '{thing}/camera/state' '{"uploaded": "reading.json"}'
