//! Which image's report goes with which epoch.
//!
//! Owns what is kept of past images, and that none is looked for in vain twice: on Linux
//! 6.1 each look at the image in force waits for a grace period (`bpf_map_copy_value` in
//! kernel/bpf/syscall.c). Must not know how an image is read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Reports that are kept, and epochs of which it is kept that there is none.
const EPOCHS: usize = 8;

/// The reports of the image in force and of the last ones before it.
#[derive(Debug, Default)]
pub(super) struct Reports {
    known: BTreeMap<u32, Arc<Vec<u8>>>,
    /// Epochs of images that were gone before their reports were read, as they were
    /// asked for. They do not come back, as no epoch is given twice.
    gone: VecDeque<u32>,
}

impl Reports {
    /// A report as the compiler wrote it (JSON).
    pub(super) fn of(&self, epoch: u32) -> Option<Arc<Vec<u8>>> {
        self.known.get(&epoch).cloned()
    }

    /// Keeps the report of the image in force, unless that is done: `look` says of which
    /// epoch it is and how its report is read, or nothing if that cannot be told now.
    pub(super) fn learn<R: FnOnce() -> Vec<u8>>(
        &mut self,
        look: impl FnOnce() -> Option<(u32, R)>,
    ) -> Option<u32> {
        let (epoch, read) = look()?;
        self.known.entry(epoch).or_insert_with(|| Arc::new(read()));
        while self.known.len() > EPOCHS {
            self.known.pop_first();
        }
        Some(epoch)
    }

    /// The same for a record of `epoch`, unless it is known what goes with it.
    pub(super) fn learn_for<R: FnOnce() -> Vec<u8>>(
        &mut self,
        epoch: u32,
        look: impl FnOnce() -> Option<(u32, R)>,
    ) {
        if self.known.contains_key(&epoch) || self.gone.contains(&epoch) {
            return;
        }
        if self.learn(look).is_some_and(|in_force| in_force != epoch) {
            self.gone.push_back(epoch);
            if self.gone.len() > EPOCHS {
                self.gone.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EPOCHS, Reports};

    /// Counts how often the image in force, of `epoch`, is looked at.
    fn records(reports: &mut Reports, of: u32, times: usize, in_force: u32) -> usize {
        let mut looked = 0;
        for _ in 0..times {
            reports.learn_for(of, || {
                looked += 1;
                Some((in_force, || vec![in_force as u8]))
            });
        }
        looked
    }

    #[test]
    fn a_report_is_read_once() {
        let mut reports = Reports::default();
        assert_eq!(records(&mut reports, 7, 100, 7), 1);
        assert_eq!(*reports.of(7).unwrap(), [7]);
    }

    #[test]
    fn an_image_that_is_gone_is_looked_for_once() {
        let mut reports = Reports::default();
        assert_eq!(records(&mut reports, 3, 100, 7), 1);
        assert_eq!(reports.of(3), None);
        // What was found instead is kept.
        assert_eq!(records(&mut reports, 7, 100, 7), 0);
        assert_eq!(*reports.of(7).unwrap(), [7]);
    }

    #[test]
    fn it_is_looked_for_once_while_images_come_and_go() {
        let mut reports = Reports::default();
        for old in 1..=100 {
            let looked: usize = (0..100)
                .map(|now| records(&mut reports, old, 1, 1000 + old * 100 + now))
                .sum();
            assert_eq!(looked, 1);
        }
    }

    #[test]
    fn what_cannot_be_told_now_is_looked_for_again() {
        let mut reports = Reports::default();
        reports.learn_for(7, || None::<(u32, fn() -> Vec<u8>)>);
        assert_eq!(reports.of(7), None);
        assert_eq!(records(&mut reports, 7, 100, 7), 1);
        assert_eq!(*reports.of(7).unwrap(), [7]);
    }

    #[test]
    fn reports_of_past_images_are_kept_and_the_oldest_go() {
        let mut reports = Reports::default();
        let last = EPOCHS as u32 + 2;
        for epoch in 1..=last {
            assert_eq!(records(&mut reports, epoch, 2, epoch), 1);
        }
        assert_eq!(reports.of(2), None);
        assert!((3..=last).all(|epoch| reports.of(epoch).is_some()));
    }
}
