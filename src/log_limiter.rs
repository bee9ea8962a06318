//! Rate-limits log lines, so that an event that repeats, or alternates between several causes, cannot flood the journal.

use std::time::Duration;

use log::Level;
use tokio::time::Instant;

/// Number of lines that are written per [`PERIOD`]. Further ones are logged at level debug.
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(3600);
/// Number of problems that are remembered. One that recurs within [`PERIOD`] is not logged again.
const REMEMBERED: usize = 8;

/// Limiter for log lines of one kind.
#[derive(Debug, Default)]
pub struct LogLimiter {
    written: u32,
    since: Option<Instant>,
}

impl LogLimiter {
    /// Writes a warning through `write`, which is passed the level and a suffix for the line.
    pub fn write(&mut self, write: impl FnOnce(Level, &str)) {
        self.write_at(Level::Warn, write);
    }

    /// Writes a line of this level through `write`, which is passed the level, debug if the limit is reached, and a suffix.
    pub fn write_at(&mut self, level: Level, write: impl FnOnce(Level, &str)) {
        if self.since.is_none_or(|since| since.elapsed() >= PERIOD) {
            (self.written, self.since) = (0, Some(Instant::now()));
        }
        self.written = self.written.saturating_add(1);
        match self.written {
            ..LINES => write(level, ""),
            LINES => write(level, " (no more such lines for an hour)"),
            _ => write(Level::Debug, ""),
        }
    }
}

/// Limiter for the problems of one part.
///
/// Causes that alternate (no route, then a timeout, then no route) are logged once each. Problems whose text differs each time are
/// limited in number.
#[derive(Debug)]
pub struct ProblemLimiter<P> {
    logged: Vec<(P, Instant)>,
    /// One limiter per level, so that many warnings do not hide an error.
    limiters: Vec<(Level, LogLimiter)>,
}

impl<P> Default for ProblemLimiter<P> {
    fn default() -> Self {
        Self {
            logged: Vec::new(),
            limiters: [Level::Error, Level::Warn, Level::Info]
                .map(|level| (level, LogLimiter::default()))
                .into(),
        }
    }
}

impl<P: PartialEq> ProblemLimiter<P> {
    /// Writes a line about `problem` through `write`, which is passed `level`, or debug if the line is not to be shown, and a suffix.
    pub fn write(&mut self, problem: P, level: Level, write: impl FnOnce(Level, &str)) {
        self.logged.retain(|(_, at)| at.elapsed() < PERIOD);
        if self.logged.iter().any(|(logged, _)| *logged == problem) {
            return write(Level::Debug, "");
        }
        if self.logged.len() >= REMEMBERED {
            self.logged.remove(0);
        }
        self.logged.push((problem, Instant::now()));
        match self.limiters.iter_mut().find(|(limited, _)| *limited == level) {
            Some((_, limiter)) => limiter.write_at(level, write),
            None => write(level, ""),
        }
    }

    /// Forgets the problems, because the part works again. The limit on the number of lines remains.
    pub fn recover(&mut self) {
        self.logged.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of these lines are written above level debug, and whether one of them announces that it is the last.
    fn written(limiter: &mut ProblemLimiter<String>, lines: impl IntoIterator<Item = String>) -> (usize, bool) {
        let (mut count, mut last) = (0, false);
        for line in lines {
            limiter.write(line, Level::Warn, |level, end| {
                count += usize::from(level < Level::Debug);
                last |= !end.is_empty();
            });
        }
        (count, last)
    }

    #[tokio::test(start_paused = true)]
    async fn alternating_causes_are_logged_once_each_and_new_texts_are_limited() {
        let turns = |causes: usize| (0..1000).map(move |line| format!("cause {}", line % causes));
        // Number of alternating causes, the number of lines, and whether one is announced as the last.
        for (causes, lines, last) in [
            (1, 1, false),
            (2, 2, false),
            (3, 3, false),
            (8, 8, false),
            (9, 10, true),
            (1000, 10, true),
        ] {
            let mut limiter = ProblemLimiter::default();
            assert_eq!(written(&mut limiter, turns(causes)), (lines, last), "{causes} causes");
        }
        let mut limiter = ProblemLimiter::default();
        written(&mut limiter, turns(1000));
        tokio::time::advance(PERIOD).await;
        assert_eq!(written(&mut limiter, turns(2)), (2, false), "an hour later");
    }

    #[tokio::test(start_paused = true)]
    async fn many_warnings_do_not_hide_an_error() {
        let mut limiter = ProblemLimiter::default();
        written(&mut limiter, (0..1000).map(|line| line.to_string()));
        let mut seen = None;
        limiter.write("revoked".to_owned(), Level::Error, |level, _| seen = Some(level));
        assert_eq!(seen, Some(Level::Error));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_recovery_a_problem_is_logged_again_but_flapping_is_limited() {
        let mut limiter = ProblemLimiter::default();
        let mut lines = 0;
        for _ in 0..100 {
            lines += written(&mut limiter, ["the same".to_owned(), "the same".to_owned()]).0;
            limiter.recover();
        }
        assert_eq!(lines, usize::try_from(LINES).unwrap());
    }
}
