//! How long a run goes on.

/// How long a run goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// At least so many times a program is killed: gatepostd, AWS's broker, or the bridge.
    pub(super) kills: usize,
    /// At least so many messages of programs are accepted.
    pub(super) messages: usize,
    /// At least so many messages come from AWS.
    pub(super) from_aws: usize,
}

impl Scale {
    /// Long enough for each fault to happen.
    pub(super) const SHORT: Self = Self {
        kills: 20,
        messages: 8_000,
        from_aws: 2_000,
    };

    /// A long run, unless environment variables set other numbers.
    pub(super) fn from_environment() -> Self {
        let number = |name, default| std::env::var(name).map_or(default, |number| number.parse().expect(name));
        let messages = number("GATEPOST_FAULTS_MESSAGES", 100_000);
        Self {
            kills: number("GATEPOST_FAULTS_KILLS", 200),
            messages,
            from_aws: number("GATEPOST_FAULTS_FROM_AWS", messages),
        }
    }
}
