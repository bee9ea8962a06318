# AWS SDK for Ruby: puts an object twice a second until the file STOP is there. The first call that fails ends it.
require "aws-sdk-s3"

bucket, stop = ARGV
s3 = Aws::S3::Client.new(
  region: "us-east-2", endpoint: ENV.fetch("AWS_ENDPOINT_URL"), retry_limit: 0, force_path_style: true
)
calls = 0
until File.exist?(stop)
  s3.put_object(bucket: bucket, key: calls.to_s, body: "21.5")
  calls += 1
  sleep 0.5
end
puts calls
