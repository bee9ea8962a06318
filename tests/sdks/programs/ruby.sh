# AWS SDK for Ruby, in one long-running process
# needs: GEM_PATH=$TRIED/ruby ruby -e 'require "aws-sdk-s3"'
# ways: profile loopback
export GEM_PATH=$TRIED/ruby
exec ruby "$REPOSITORY/tests/sdks/programs/put.rb" "$BUCKET" "$PWD/stop"
