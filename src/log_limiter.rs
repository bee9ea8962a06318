//! Limits how often lines of one kind are written to the journal, so that nothing that repeats itself, or alternates between two
//! causes, can flood it.

use std::time::Duration;

use log::Level;
use tokio::time::Instant;

/// So many are written in [`PERIOD`], the others at level debug.
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(3600);
/// A problem that comes back within [`PERIOD`] is no news. So many are remembered.
const REMEMBERED: usize = 8;

/// Lines of one kind.
#[derive(Debug, Default)]
pub struct LogLimiter {
    written: u32,
    since: Option<Instant>,
}

impl LogLimiter {
    /// One more line: `write` is told the level, and what to say at its end.
    pub fn one_more(&mut self, write: impl FnOnce(Level, &str)) {
        self.one_more_at(Level::Warn, write);
    }

    /// One more line that is worth `level`.
    pub fn one_more_at(&mut self, level: Level, write: impl FnOnce(Level, &str)) {
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

/// The problems of one part that were logged in the last hour, and how many lines they have cost.
///
/// Causes that take turns (no route, then a timeout, then no route) are a line each, once; problems whose words differ each time
/// are limited in number.
#[derive(Debug)]
pub struct ProblemLimiter<P> {
    logged: Vec<(P, Instant)>,
    /// A limit for each level: many warnings do not hide an error.
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
    /// A line about `problem` is due: `write` is told the level, at most `level`, and what to say at its end.
    pub fn one_more(&mut self, problem: P, level: Level, write: impl FnOnce(Level, &str)) {
        self.logged.retain(|(_, at)| at.elapsed() < PERIOD);
        if self.logged.iter().any(|(logged, _)| *logged == problem) {
            return write(Level::Debug, "");
        }
        if self.logged.len() >= REMEMBERED {
            self.logged.remove(0);
        }
        self.logged.push((problem, Instant::now()));
        match self.limiters.iter_mut().find(|(limited, _)| *limited == level) {
            Some((_, limiter)) => limiter.one_more_at(level, write),
            None => write(level, ""),
        }
    }

    /// The part works: what comes next is a new story, within the limit of lines.
    pub fn recover(&mut self) {
        self.logged.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these lines are written above level debug, and whether one says that it is the last.
    fn written(limiter: &mut ProblemLimiter<String>, lines: impl IntoIterator<Item = String>) -> (usize, bool) {
        let (mut count, mut last) = (0, false);
        for line in lines {
            limiter.one_more(line, Level::Warn, |level, end| {
                count += usize::from(level < Level::Debug);
                last |= !end.is_empty();
            });
        }
        (count, last)
    }

    #[tokio::test(start_paused = true)]
    async fn causes_that_take_turns_are_a_line_each_and_new_words_are_limited() {
        let turns = |causes: usize| (0..1000).map(move |line| format!("cause {}", line % causes));
        // How many causes take turns, and how many lines that is.
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
        limiter.one_more("revoked".to_owned(), Level::Error, |level, _| seen = Some(level));
        assert_eq!(seen, Some(Level::Error));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_recovery_the_same_problem_is_news_but_flapping_is_limited() {
        let mut limiter = ProblemLimiter::default();
        let mut lines = 0;
        for _ in 0..100 {
            lines += written(&mut limiter, ["the same".to_owned(), "the same".to_owned()]).0;
            limiter.recover();
        }
        assert_eq!(lines, usize::try_from(LINES).unwrap());
    }
}
