//! Parses the name of an AWS IoT endpoint into its service, its Region and its partition.
//!
//! AWS General Reference, "AWS IoT Core endpoints and quotas", and the developer guide, "Device data endpoint types".

/// The service behind an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// MQTT, with a server certificate of Amazon Trust Services.
    Data,
    /// MQTT, with a server certificate of a CA that is no longer trusted.
    LegacyData,
    /// The credentials provider.
    Credentials,
    /// Jobs for devices.
    Jobs,
    /// The control plane API, which is the same for all accounts.
    Api,
}

/// An AWS partition, which has its own accounts, ARNs and domain names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The name in ARNs.
    pub name: &'static str,
    /// The prefixes of its Regions' names. The partition without prefixes has all other Regions.
    region_prefixes: &'static [&'static str],
    /// The domain of its hosts.
    dns_suffix: &'static str,
    /// The domain of its dual-stack hosts, which have IPv6 addresses as well.
    dual_stack_suffix: &'static str,
}

/// A parsed name of an AWS IoT endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsName {
    /// The service.
    pub service: Service,
    /// The Region.
    pub region: String,
    /// The partition that the Region is in.
    pub partition: Partition,
}

/// The partitions of botocore's partitions.json. The first has every Region that matches no other partition.
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
    /// Returns the command that prints the account's endpoint for this service.
    pub fn describe_command(self) -> &'static str {
        match self {
            Self::Credentials => "aws iot describe-endpoint --endpoint-type iot:CredentialProvider",
            Self::Data | Self::LegacyData | Self::Jobs | Self::Api => {
                "aws iot describe-endpoint --endpoint-type iot:Data-ATS"
            }
        }
    }

    /// Describes the endpoint for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Data | Self::LegacyData => "the MQTT endpoint",
            Self::Credentials => "the credentials provider's endpoint",
            Self::Jobs => "the endpoint for jobs",
            Self::Api => "the endpoint of AWS IoT's API, which is the same for all accounts",
        }
    }
}

impl Partition {
    /// Finds the partition of a Region.
    pub fn of_region(region: &str) -> Self {
        let [default, others @ ..] = PARTITIONS;
        let claims = |partition: &Self| {
            partition
                .region_prefixes
                .iter()
                .any(|prefix| region.starts_with(prefix))
        };
        others.into_iter().find(claims).unwrap_or(default)
    }

    /// Returns the host of STS in a Region of this partition.
    pub fn sts_host(&self, region: &str) -> String {
        format!("sts.{region}.{}", self.dns_suffix)
    }
}

impl AwsName {
    /// Parses a lower-case host name; `None` if it does not belong to AWS.
    ///
    /// # Errors
    /// If the name is in an AWS domain but is not an AWS IoT endpoint.
    pub(super) fn parse(host: &str) -> Result<Option<Self>, String> {
        let suffixes = PARTITIONS
            .iter()
            .flat_map(|known| [known.dns_suffix, known.dual_stack_suffix]);
        let found = suffixes.filter_map(|suffix| Some((suffix, host.strip_suffix(suffix)?.strip_suffix('.')?)));
        // Several suffixes may match, so the longest one counts.
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
        let service = find_service(before, host).ok_or_else(not_iot)?;
        Ok(Some(Self {
            service,
            region: region.to_owned(),
            partition,
        }))
    }
}

/// Determines the service from the labels before "iot".
fn find_service(before: &[&str], host: &str) -> Option<Service> {
    let fips_or_vpc = host.contains(".iot-fips.") || host.contains(".vpce.");
    match before {
        [] => Some(Service::Api),
        [_, "credentials"] | ["credentials"] => Some(Service::Credentials),
        [_, "jobs"] | ["jobs"] => Some(Service::Jobs),
        // The form in China.
        [_, "ats"] => Some(Service::Data),
        [_, "data"] => Some(Service::Data),
        [prefix] if prefix.ends_with("-ats") || fips_or_vpc => Some(Service::Data),
        [_] => Some(Service::LegacyData),
        _ => None,
    }
}

/// Returns whether `text` has the form of a Region, which is words and a number: `us-east-2`, `us-gov-west-1`, `eusc-de-east-1`.
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

/// Returns whether a Region's name consists of the words that all known Regions have. A new Region may have others.
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

/// Returns whether the account's prefix is a placeholder of an example. A real prefix consists of random letters and digits.
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

/// Returns a reason to doubt the account's prefix. FIPS and VPC endpoints have no prefix.
pub(super) fn find_doubt(host: &str) -> Option<&'static str> {
    if host.contains(".iot-fips.") || host.contains(".vpce.") {
        return None;
    }
    let labels: Vec<&str> = host.split('.').take_while(|label| *label != "iot").collect();
    match labels.as_slice() {
        ["data-ats" | "data" | "ats" | "credentials"] | ["data", "ats" | "credentials"] => {
            Some("lacks the account's own prefix, so that it is not an account's endpoint")
        }
        [prefix, "credentials"] if prefix.ends_with("-ats") => {
            Some("has -ats, which the names of MQTT endpoints have, and not those of the credentials provider")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
