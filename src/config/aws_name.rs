//! Reads what the name of an AWS IoT endpoint says: the service, the Region and the partition.
//!
//! AWS General Reference, "AWS IoT Core endpoints and quotas", and the developer guide, "Device data endpoint types".

/// The service behind an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// MQTT, with a server certificate of Amazon Trust Services (or by a name that exists in that form only).
    Data,
    /// MQTT, with a server certificate of an authority that is no longer trusted.
    LegacyData,
    /// The credentials provider.
    Credentials,
    /// Jobs for devices.
    Jobs,
    /// The API of the service itself, the same for all accounts.
    Api,
}

/// A part of AWS with accounts, ARNs and names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As ARNs write it.
    pub name: &'static str,
    /// The prefixes of its Regions' names; the partition without any has all Regions that no other claims.
    region_prefixes: &'static [&'static str],
    /// The end of its hosts' names.
    dns_suffix: &'static str,
    /// The end of the names that have IPv6 addresses as well.
    dual_stack_suffix: &'static str,
}

/// The name of an AWS IoT endpoint, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsName {
    /// The service behind it.
    pub service: Service,
    /// The Region.
    pub region: String,
    /// The partition that the Region is in.
    pub partition: Partition,
}

/// botocore's partitions.json. The first is that of every Region that no other claims.
const PARTITIONS: [Partition; 8] = [
    partition("aws", &[], "amazonaws.com", "api.aws"),
    partition("aws-us-gov", &["us-gov-"], "amazonaws.com", "api.aws"),
    partition("aws-cn", &["cn-"], "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    partition("aws-eusc", &["eusc-"], "amazonaws.eu", "api.amazonwebservices.eu"),
    partition("aws-iso", &["us-iso-"], "c2s.ic.gov", "api.aws.ic.gov"),
    partition("aws-iso-b", &["us-isob-"], "sc2s.sgov.gov", "api.aws.scloud"),
    partition("aws-iso-e", &["eu-isoe-"], "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    partition("aws-iso-f", &["us-isof-"], "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
];

const fn partition(
    name: &'static str,
    region_prefixes: &'static [&'static str],
    dns_suffix: &'static str,
    dual_stack_suffix: &'static str,
) -> Partition {
    Partition {
        name,
        region_prefixes,
        dns_suffix,
        dual_stack_suffix,
    }
}

impl Service {
    /// The command that prints the account's endpoint for it.
    pub fn describe_command(self) -> &'static str {
        match self {
            Self::Credentials => "aws iot describe-endpoint --endpoint-type iot:CredentialProvider",
            Self::Data | Self::LegacyData | Self::Jobs | Self::Api => {
                "aws iot describe-endpoint --endpoint-type iot:Data-ATS"
            }
        }
    }

    /// As people call it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Data | Self::LegacyData => "the MQTT endpoint",
            Self::Credentials => "the credentials provider's endpoint",
            Self::Jobs => "the endpoint for jobs",
            Self::Api => "the endpoint of AWS IoT's API, which is no account's own",
        }
    }
}

impl Partition {
    /// The partition of a Region.
    pub fn of_region(region: &str) -> Self {
        let [usual, others @ ..] = PARTITIONS;
        let claims = |partition: &Self| {
            partition
                .region_prefixes
                .iter()
                .any(|prefix| region.starts_with(prefix))
        };
        others.into_iter().find(claims).unwrap_or(usual)
    }

    /// The host of STS in a Region of this partition.
    pub fn sts_host(&self, region: &str) -> String {
        format!("sts.{region}.{}", self.dns_suffix)
    }
}

impl AwsName {
    /// Takes a host name in lower case apart; `None` where it is not AWS's.
    ///
    /// # Errors
    /// When it ends as AWS's names do, and the rest is no endpoint of AWS IoT.
    pub(super) fn parse(host: &str) -> Result<Option<Self>, String> {
        let suffixes = PARTITIONS
            .iter()
            .flat_map(|known| [known.dns_suffix, known.dual_stack_suffix]);
        let found = suffixes.filter_map(|suffix| Some((suffix, host.strip_suffix(suffix)?.strip_suffix('.')?)));
        // "amazonaws.com" is not the end of "amazonaws.com.cn", but of others' names it may be.
        let Some((suffix, rest)) = found.min_by_key(|(_, rest)| rest.len()) else {
            return Ok(None);
        };
        let not_iot = || "is a name of AWS, but not of an AWS IoT endpoint".to_owned();
        // An endpoint within a VPC.
        let rest = rest.strip_suffix(".vpce").unwrap_or(rest);
        let labels: Vec<&str> = rest.split('.').collect();
        let place = labels.iter().rposition(|label| matches!(*label, "iot" | "iot-fips"));
        let (before, region) = match place.and_then(|place| labels.split_at_checked(place)) {
            Some((before, [_, region])) => (before, *region),
            _ => return Err(not_iot()),
        };
        let partition = Partition::of_region(region);
        if !is_region(region) {
            return Err(format!("names no Region of AWS where it says \"{region}\""));
        }
        if suffix != partition.dns_suffix && suffix != partition.dual_stack_suffix {
            return Err(format!(
                "ends in {suffix}, and names of Region {region} end in {}",
                partition.dns_suffix
            ));
        }
        let service = service(before, host).ok_or_else(not_iot)?;
        Ok(Some(Self {
            service,
            region: region.to_owned(),
            partition,
        }))
    }
}

/// The service by what stands before "iot".
fn service(before: &[&str], host: &str) -> Option<Service> {
    let fips_or_vpc = host.contains(".iot-fips.") || host.contains(".vpce.");
    match before {
        [] => Some(Service::Api),
        [_, "credentials"] | ["credentials"] => Some(Service::Credentials),
        [_, "jobs"] | ["jobs"] => Some(Service::Jobs),
        // China's form.
        [_, "ats"] => Some(Service::Data),
        [_, "data"] => Some(Service::Data),
        [prefix] if prefix.ends_with("-ats") || fips_or_vpc => Some(Service::Data),
        [_] => Some(Service::LegacyData),
        _ => None,
    }
}

/// Words and a number, joined by hyphens: `us-east-2`, `us-gov-west-1`, `eusc-de-east-1`.
pub(super) fn is_region(text: &str) -> bool {
    let is_word = |word: &str| word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    match text.rsplit_once('-') {
        Some((words, number)) => {
            let mut count = 0;
            let all_words = words.split('-').inspect(|_| count += 1).all(is_word);
            all_words && count >= 2 && matches!(number.len(), 1 | 2) && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => false,
    }
}

/// Whether a Region's name has the words that all Regions so far have. A new Region may have others.
pub(super) fn is_usual_region(region: &str) -> bool {
    const AREAS: [&str; 11] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx", "cn", "eusc"];
    const DIRECTIONS: [&str; 9] = [
        "north",
        "south",
        "east",
        "west",
        "central",
        "northeast",
        "northwest",
        "southeast",
        "southwest",
    ];
    const SPECIAL: [&str; 6] = ["gov", "iso", "isob", "isoe", "isof", "de"];
    let words: Vec<&str> = region.split('-').collect();
    match words.as_slice() {
        [area, direction, _] => AREAS.contains(area) && DIRECTIONS.contains(direction),
        [area, special, direction, _] => {
            AREAS.contains(area) && SPECIAL.contains(special) && DIRECTIONS.contains(direction)
        }
        _ => false,
    }
}

/// Whether what stands for the account is a word of an example. An account's own prefix is of random letters and digits.
pub(super) fn has_placeholder(host: &str) -> bool {
    const WORDS: [&str; 8] = [
        "your",
        "my",
        "prefix",
        "endpoint",
        "account",
        "placeholder",
        "region",
        "identifier",
    ];
    let first = host.split('.').next().unwrap_or_default();
    let mut words = first.split(['-', '_']);
    let is_word = |word: &str| WORDS.contains(&word) || word.len() > 1 && word.bytes().all(|byte| byte == b'x');
    words.any(is_word)
        || ["xxxx", "example", "yourendpoint", "yourprefix"]
            .iter()
            .any(|part| first.contains(part))
}

/// A reason to doubt the part that stands for the account. FIPS and VPC endpoints have none of their own.
pub(super) fn doubt(host: &str) -> Option<&'static str> {
    if host.contains(".iot-fips.") || host.contains(".vpce.") {
        return None;
    }
    let labels: Vec<&str> = host.split('.').take_while(|label| *label != "iot").collect();
    match labels.as_slice() {
        ["data-ats" | "data" | "ats" | "credentials"] | ["data", "ats" | "credentials"] => {
            Some("lacks the account's own prefix, so that it is no account's endpoint")
        }
        [prefix, "credentials"] if prefix.ends_with("-ats") => {
            Some("has -ats, which the names of MQTT endpoints have, and not those of the credentials provider")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
