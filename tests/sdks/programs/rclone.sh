# rclone: a run for each copy, as from a timer
# needs: command -v rclone
# ways: profile token
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_AWS_TYPE=s3 RCLONE_CONFIG_AWS_PROVIDER=Other RCLONE_CONFIG_AWS_ENV_AUTH=true
export RCLONE_CONFIG_AWS_NO_CHECK_BUCKET=true RCLONE_CONFIG_AWS_REGION=us-east-2 AWS_SDK_LOAD_CONFIG=1
export RCLONE_CONFIG_AWS_ENDPOINT=$AWS_ENDPOINT_URL
while [ ! -e stop ]; do
    rclone --retries 1 --low-level-retries 1 copyto reading.json aws:$BUCKET/reading.json
    rclone --retries 1 --low-level-retries 1 cat aws:$BUCKET/reading.json | cmp - reading.json
    sleep 1
done
