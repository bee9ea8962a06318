//! Names as AWS documents them, and names that only resemble them.

use super::*;

#[test]
fn a_name_gives_service_region_and_partition() {
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
fn a_custom_domain_is_not_parsed() {
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
fn a_name_in_an_aws_domain_that_is_not_an_iot_endpoint_is_refused() {
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

#[test]
fn a_region_with_unknown_words_is_unusual() {
    for region in [
        "us-east-2",
        "eu-central-1",
        "ap-southeast-7",
        "ap-northeast-3",
        "sa-east-1",
        "ca-west-1",
        "me-south-1",
        "af-south-1",
        "il-central-1",
        "mx-central-1",
        "cn-northwest-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
        "eusc-de-east-1",
    ] {
        assert!(is_region(region) && is_usual_region(region), "{region}");
    }
    for region in [
        "us-esat-2",
        "us-eats-1",
        "su-east-1",
        "eu-centrl-1",
        "ap-south-east-1",
        "eu-wset-1",
        "uk-east-1",
        "us-east-east-1",
        "us-goc-west-1",
        "eu-centre-1",
    ] {
        assert!(is_region(region) && !is_usual_region(region), "{region}");
    }
}

#[test]
fn a_missing_or_wrong_account_prefix_is_doubted() {
    for (first, reason) in [
        ("data-ats.iot", Some("lacks the account's own prefix")),
        ("data.iot", Some("lacks the account's own prefix")),
        ("ats.iot", Some("lacks the account's own prefix")),
        ("data.ats.iot", Some("lacks the account's own prefix")),
        ("credentials.iot", Some("lacks the account's own prefix")),
        ("data.credentials.iot", Some("lacks the account's own prefix")),
        ("c4-ats.credentials.iot", Some("has -ats")),
        ("c4.credentials.iot", None),
        ("a1-ats.iot", None),
        ("a1.ats.iot", None),
        ("a1.iot", None),
        ("data.iot-fips", None),
        ("data.credentials.iot-fips", None),
    ] {
        let host = format!("{first}.us-east-2.amazonaws.com");
        let found = find_doubt(&host);
        assert_eq!(found.is_some(), reason.is_some(), "{host}");
        assert!(found.unwrap_or_default().contains(reason.unwrap_or_default()), "{host}");
    }
    assert_eq!(find_doubt("vpce-0a1b-c2.data.iot.us-east-1.vpce.amazonaws.com"), None);
}

#[test]
fn placeholders_of_examples_are_recognised() {
    for (prefix, is_placeholder) in [
        ("your-endpoint-ats", true),
        ("yourendpoint-ats", true),
        ("your-ats", true),
        ("my-endpoint-ats", true),
        ("prefix-ats", true),
        ("account-specific-prefix-ats", true),
        ("endpoint", true),
        ("xxxxxxxxxxxxxx-ats", true),
        ("xx-ats", true),
        ("a1xxxxxxxxxxxx-ats", true),
        ("a3qexamplesffp-ats", true),
        ("a1b2c3d4e5f6g7-ats", false),
        ("a1-ats", false),
        ("x-ats", false),
        ("a3kxx0ymy1prfx-ats", false),
        ("vpce-0a1b-c2", false),
        ("data", false),
    ] {
        let host = format!("{prefix}.iot.us-east-2.amazonaws.com");
        assert_eq!(has_placeholder(&host), is_placeholder, "{host}");
    }
}
