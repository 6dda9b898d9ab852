//! The suites a guest can run, by name.

mod bench;
mod bypass;
mod catalogue;
mod demo;
mod directories;
mod enforce;
mod evaluators;
mod events;
mod exec;
mod flow;
mod kill9;
mod locks;
mod preflight;
mod race;
mod scopes;
mod smoke;
mod stacking;
mod swap;
mod trace;
mod verifier;

use crate::console::Report;

/// One suite.
pub(crate) struct Suite {
    /// The name on the kernel command line.
    pub(crate) name: &'static str,
    /// Runs the tests and says each through the report. An error it returns
    /// fails the whole suite: for what made going on useless.
    pub(crate) run: fn(&mut Report, &[String]) -> anyhow::Result<()>,
}

/// Every suite.
pub(crate) const ALL: &[Suite] = &[
    smoke::SUITE,
    exec::SUITE,
    trace::SUITE,
    enforce::SUITE,
    stacking::SUITE,
    catalogue::SUITE,
    swap::SUITE,
    race::SUITE,
    scopes::SUITE,
    bypass::SUITE,
    kill9::SUITE,
    locks::SUITE,
    directories::SUITE,
    preflight::SUITE,
    evaluators::SUITE,
    events::SUITE,
    flow::SUITE,
    demo::SUITE,
    bench::SUITE,
    verifier::SUITE,
];

/// The suite of this name.
pub(crate) fn find(name: &str) -> Option<&'static Suite> {
    ALL.iter().find(|suite| suite.name == name)
}

/// All names, for people.
pub(crate) fn names() -> String {
    ALL.iter()
        .map(|suite| suite.name)
        .collect::<Vec<_>>()
        .join(", ")
}
