//! Says what is being waited for: a spinner on a terminal, plain lines
//! elsewhere. Everything goes to standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One long step. Says its end when it is dropped without one.
pub(crate) struct Step {
    what: String,
    bar: Option<ProgressBar>,
    started: Instant,
    ended: bool,
}

impl Step {
    /// Begins a step; `what` names it and what it waits for.
    pub(crate) fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message(what.clone());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("xtask: {what} …");
        }
        Self {
            what,
            bar,
            started: Instant::now(),
            ended: false,
        }
    }

    /// Prints a line above the spinner.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Ends the step and says what came of it.
    pub(crate) fn done(mut self, outcome: &str) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: &str) {
        if self.ended {
            return;
        }
        self.ended = true;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        eprintln!("xtask: {}: {outcome} ({seconds:.1} s)", self.what);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.end("not finished");
    }
}

/// Says one thing that took no time.
pub(crate) fn note(text: &str) {
    eprintln!("xtask: {text}");
}
