# AWS SDK for Ruby, in one long-running process; Debian 12 has one that knows no loopback listener
# needs: ruby -e 'require "aws-sdk-s3"'
# ways: profile
exec ruby "$REPOSITORY/tests/sdks/programs/put.rb" "$BUCKET" "$PWD/stop"
