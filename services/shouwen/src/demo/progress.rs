//! Shows on stderr that the play goes on: a bar on a terminal, a line every few seconds elsewhere, nothing if quiet.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);
/// The bar is not drawn anew for every step.
const STEPS: usize = 8;

pub(super) struct Progress {
    form: Form,
    total: usize,
}

enum Form {
    Bar(ProgressBar),
    Lines { begun: Instant, last: Instant },
    Quiet,
}

impl Progress {
    /// For a play of so many steps.
    pub(super) fn new(total: usize, quiet: bool) -> Self {
        let begun = Instant::now();
        let form = if quiet {
            Form::Quiet
        } else if stderr().is_terminal() {
            let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
            let style =
                ProgressStyle::with_template("{bar:32.cyan/blue} {percent:>3}%  {msg}  {elapsed_precise}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▉▊▋▌▍▎▏ "));
            Form::Bar(bar)
        } else {
            Form::Lines { begun, last: begun }
        };
        Self { form, total }
    }

    /// Something before the play goes on.
    pub(super) fn before(&mut self, what: &str, done: usize, of: usize) {
        match &mut self.form {
            Form::Bar(bar) => bar.set_message(format!("{what} {done}/{of}")),
            Form::Lines { last, .. } if last.elapsed() >= EVERY => {
                *last = Instant::now();
                // Nobody may be listening; the play goes on.
                let _unheard = writeln!(stderr().lock(), "{what} {done}/{of}");
            }
            Form::Lines { .. } | Form::Quiet => {}
        }
    }

    /// A step was played.
    pub(super) fn step(&mut self, number: usize, now: DateTime<Utc>, contacts: usize, cases: usize) {
        let told = || {
            let date = local(now).format("%Y-%m-%d %H:%M");
            format!("{date}  联系 contacts {contacts}  事项 cases {cases}")
        };
        match &mut self.form {
            Form::Bar(bar) if number.is_multiple_of(STEPS) => {
                bar.set_position(u64::try_from(number).unwrap_or(u64::MAX));
                bar.set_message(told());
            }
            Form::Lines { begun, last } if last.elapsed() >= EVERY => {
                *last = Instant::now();
                let percent = number * 100 / self.total.max(1);
                let seconds = begun.elapsed().as_secs();
                // Nobody may be listening; the play goes on.
                let _unheard = writeln!(stderr().lock(), "{percent:>3}%  {}  {seconds} s", told());
            }
            Form::Bar(_) | Form::Lines { .. } | Form::Quiet => {}
        }
    }

    /// The play is over.
    pub(super) fn finish(self) {
        if let Form::Bar(bar) = self.form {
            bar.finish_and_clear();
        }
    }
}

/// Shanghai's wall clock, in which a branch reads times; it has known no summer time since 1991.
pub(super) fn local(time: DateTime<Utc>) -> DateTime<Utc> {
    time + TimeDelta::hours(8)
}
