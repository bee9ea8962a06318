//! The final check: a signed call of sts:GetCallerIdentity, which every role may make.

use super::lines::AWS_CALL;
use super::report::Report;
use crate::clock::SharedClock;
use crate::cloud::connector::Connector;
use crate::cloud::sts::{Sts, StsError};
use crate::config::{Config, Origin, StsEndpoint};
use crate::credentials::Credentials;
use crate::problem::{Problem, quoted};

const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// Makes the call with `credentials`, and reports the caller that AWS returns.
pub async fn check(config: &Config, alias: &str, credentials: &Credentials, clock: &SharedClock, report: &mut Report) {
    let endpoint = match endpoint(config) {
        Ok(Some(endpoint)) => endpoint,
        Ok(None) => return report.skip(AWS_CALL, "the endpoints' names contain no Region; set AWS_REGION"),
        Err(problem) => return report.failed(AWS_CALL, &problem),
    };
    let connector = Connector::new(config);
    match call(&Sts { connector, endpoint }, credentials, clock).await {
        Ok(arn) => report.ok(AWS_CALL, format!("sts:GetCallerIdentity with {alias}: {arn}")),
        Err(problem) => report.failed(AWS_CALL, &problem),
    }
}

async fn call(sts: &Sts, credentials: &Credentials, clock: &SharedClock) -> Result<String, Problem> {
    let endpoint = &sts.endpoint.origin;
    let answer = sts
        .request(QUERY, credentials, &**clock)
        .await
        .map_err(StsError::into_problem)?;
    let (status, body) = (answer.status, answer.body);
    let body = String::from_utf8_lossy(&body);
    let between = |start, end| {
        body.split_once(start)?
            .1
            .split_once(end)
            .map(|(inside, _)| quoted(inside))
    };
    match (status.is_success(), between("<Arn>", "</Arn>")) {
        (true, Some(arn)) => Ok(arn),
        (true, None) => Err(Problem::wait(format!(
            "{endpoint} answered {status}, but not in the form of STS"
        ))),
        (false, _) => {
            let words = between("<Message>", "</Message>").unwrap_or_else(|| status.to_string());
            let step = "check this machine's clock, and whether a policy forbids the role to be used from here";
            Err(Problem::configuration(format!("{endpoint} answered {}: {words}", status.as_u16())).next(step))
        }
    }
}

/// Returns the endpoint as the SDKs determine it (AWS SDKs and Tools Reference Guide, "Service-specific endpoints"), or else that of
/// the configuration.
fn endpoint(config: &Config) -> Result<Option<StsEndpoint>, Problem> {
    let configured = &config.aws.sts;
    let region = config.aws.region().or_else(region_from_environment);
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(url) = variable("AWS_ENDPOINT_URL_STS").or_else(|| variable("AWS_ENDPOINT_URL")) else {
        return Ok(configured
            .clone()
            .or_else(|| region.as_deref().map(StsEndpoint::of_region)));
    };
    let origin = Origin::parse(&url)
        .map_err(|why| Problem::configuration(format!("{}: {why}", quoted(&url))).next("check AWS_ENDPOINT_URL"))?;
    let region = region.or_else(|| configured.as_ref().map(|sts| sts.region.clone()));
    Ok(region.map(|region| StsEndpoint { origin, region }))
}

fn region_from_environment() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))
}
