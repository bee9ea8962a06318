//! Names as AWS documents them, and names that only look like them.

use super::*;

#[test]
fn a_name_tells_service_region_and_partition() {
    use Service::{Api, Credentials, Data, Jobs, LegacyData};
    for (host, service, region, partition, sts) in [
        (
            "a1b2c3-ats.iot.us-east-2.amazonaws.com",
            Data,
            "us-east-2",
            "aws",
            "sts.us-east-2.amazonaws.com",
        ),
        (
            "a1b2c3.iot.us-east-2.amazonaws.com",
            LegacyData,
            "us-east-2",
            "aws",
            "sts.us-east-2.amazonaws.com",
        ),
        (
            "c4.credentials.iot.eu-west-1.amazonaws.com",
            Credentials,
            "eu-west-1",
            "aws",
            "sts.eu-west-1.amazonaws.com",
        ),
        (
            "a1.jobs.iot.ap-southeast-2.amazonaws.com",
            Jobs,
            "ap-southeast-2",
            "aws",
            "sts.ap-southeast-2.amazonaws.com",
        ),
        (
            "iot.us-east-1.amazonaws.com",
            Api,
            "us-east-1",
            "aws",
            "sts.us-east-1.amazonaws.com",
        ),
        (
            "a1-ats.iot.us-east-1.api.aws",
            Data,
            "us-east-1",
            "aws",
            "sts.us-east-1.amazonaws.com",
        ),
        (
            "c4.credentials.iot.us-east-1.api.aws",
            Credentials,
            "us-east-1",
            "aws",
            "sts.us-east-1.amazonaws.com",
        ),
        (
            "data.iot-fips.ca-central-1.amazonaws.com",
            Data,
            "ca-central-1",
            "aws",
            "sts.ca-central-1.amazonaws.com",
        ),
        (
            "a1-ats.iot-fips.us-west-2.amazonaws.com",
            Data,
            "us-west-2",
            "aws",
            "sts.us-west-2.amazonaws.com",
        ),
        (
            "data.credentials.iot-fips.us-east-1.amazonaws.com",
            Credentials,
            "us-east-1",
            "aws",
            "sts.us-east-1.amazonaws.com",
        ),
        (
            "a1-ats.iot.us-gov-west-1.amazonaws.com",
            Data,
            "us-gov-west-1",
            "aws-us-gov",
            "sts.us-gov-west-1.amazonaws.com",
        ),
        (
            "data.iot-fips.us-gov-east-1.amazonaws.com",
            Data,
            "us-gov-east-1",
            "aws-us-gov",
            "sts.us-gov-east-1.amazonaws.com",
        ),
        (
            "a1.ats.iot.cn-north-1.amazonaws.com.cn",
            Data,
            "cn-north-1",
            "aws-cn",
            "sts.cn-north-1.amazonaws.com.cn",
        ),
        (
            "a1b2c3.iot.cn-north-1.amazonaws.com.cn",
            LegacyData,
            "cn-north-1",
            "aws-cn",
            "sts.cn-north-1.amazonaws.com.cn",
        ),
        (
            "a1-ats.iot.eusc-de-east-1.amazonaws.eu",
            Data,
            "eusc-de-east-1",
            "aws-eusc",
            "sts.eusc-de-east-1.amazonaws.eu",
        ),
        (
            "c4.credentials.iot.eusc-de-east-1.amazonaws.eu",
            Credentials,
            "eusc-de-east-1",
            "aws-eusc",
            "sts.eusc-de-east-1.amazonaws.eu",
        ),
        (
            "vpce-0a1b-c2.data.iot.us-east-1.vpce.amazonaws.com",
            Data,
            "us-east-1",
            "aws",
            "sts.us-east-1.amazonaws.com",
        ),
        (
            "vpce-0a1b-c2.credentials.iot.us-east-1.vpce.amazonaws.com",
            Credentials,
            "us-east-1",
            "aws",
            "sts.us-east-1.amazonaws.com",
        ),
    ] {
        let name = AwsName::parse(host).unwrap().unwrap_or_else(|| panic!("{host}"));
        assert_eq!(
            (name.service, name.region.as_str(), name.partition.name),
            (service, region, partition),
            "{host}"
        );
        assert_eq!(name.partition.sts_host(&name.region), sts, "{host}");
    }
}

#[test]
fn a_custom_domain_says_nothing() {
    for host in [
        "iot.example.com",
        "a.iot.example.com",
        "localhost",
        "notamazonaws.com",
        "amazonaws.com.example",
    ] {
        assert_eq!(AwsName::parse(host), Ok(None), "{host}");
    }
}

#[test]
fn a_name_that_only_looks_like_one_of_aws_is_told() {
    for (host, why) in [
        ("s3.us-east-1.amazonaws.com", "not of an AWS IoT endpoint"),
        ("a1-ats.iot.amazonaws.com", "not of an AWS IoT endpoint"),
        ("a.b.c-ats.iot.us-east-1.amazonaws.com", "not of an AWS IoT endpoint"),
        ("a1-ats.iot.us-east2.amazonaws.com", "names no Region"),
        ("a1-ats.iot.useast-1.amazonaws.com", "names no Region"),
        ("a1-ats.iot.cn-north-1.amazonaws.com", "end in amazonaws.com.cn"),
        ("a1-ats.iot.us-east-1.amazonaws.com.cn", "end in amazonaws.com"),
        ("a1-ats.iot.eusc-de-east-1.amazonaws.com", "end in amazonaws.eu"),
        ("a1-ats.iot.eu-central-1.amazonaws.eu", "end in amazonaws.com"),
    ] {
        let reason = AwsName::parse(host).expect_err(host);
        assert!(reason.contains(why), "{host}: {reason}");
    }
}
