//! The one reader of the ring buffer.
//!
//! Owns waiting, the order of what is handed out, and the counters of what was lost.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::{Map, MapData, RingBuf};
use lsmpc_abi::maps;
use lsmpc_abi::state::Counter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::clock::BootClock;
use super::record::{DecodeError, EventRecord};
use super::reports::Reports;
use crate::error::{Error, Result};
use crate::lock::{self, Attempt, Lock};
use crate::pins::{Group, Layout};
use crate::status::{self, Counters};
use crate::store;
use crate::sys;
use crate::system::System;

/// How often the counters are looked at while events come.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);
/// How often the wall clock is looked at.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// What was lost since the last such item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Records, because the buffer was full.
    pub full: u64,
    /// Records, by the rate limit of their rule.
    pub rate: u64,
    /// Records, because no scratch slot was free.
    pub busy: u64,
}

/// What a reader hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventItem {
    /// An event.
    Event(EventRecord),
    /// Some records were lost.
    Lost(Lost),
    /// Some bytes were not a record; they were skipped.
    Damaged(DecodeError),
}

/// Reads the events of one pin directory.
///
/// It outlives what is pinned there: when the programs are replaced, or removed
/// and applied again, it goes on with the new buffer.
pub struct EventReader {
    ring: RingBuf<MapData>,
    /// The ring buffer's number.
    ring_id: u32,
    layout: Layout,
    system: System,
    clock: BootClock,
    clock_read: Instant,
    counters: Counters,
    counters_read: Instant,
    pins_looked_at: Instant,
    reports: Reports,
    lock: Lock,
}

impl std::fmt::Debug for EventReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader")
            .field("dir", &self.layout.dir())
            .finish_non_exhaustive()
    }
}

impl EventReader {
    /// Opens the pinned ring buffer. Records that are in it already come first.
    pub(crate) fn open(layout: &Layout, system: &System) -> Result<Self> {
        let (lock, ring, ring_id) = Self::open_ring(layout)?;
        let now = Instant::now();
        let mut reader = Self {
            ring,
            ring_id,
            layout: layout.clone(),
            system: system.clone(),
            clock: BootClock::now(),
            clock_read: now,
            counters: status::counters(layout, system)?,
            counters_read: now,
            pins_looked_at: now,
            reports: Reports::default(),
            lock,
        };
        // The image in force now is the one that most records will be of, and it
        // may be gone when they are read.
        reader.reports.learn(|| in_force(&reader.layout));
        Ok(reader)
    }

    fn open_ring(layout: &Layout) -> Result<(Lock, RingBuf<MapData>, u32)> {
        let lock = Self::lock(layout, &layout.group(Group::Maps))?;
        let failed = |error: &dyn std::error::Error| {
            Error::map(
                "opening",
                maps::EVENTS,
                std::io::Error::other(error.to_string()),
            )
        };
        let data = MapData::from_pin(layout.map(maps::EVENTS)).map_err(|error| failed(&error))?;
        let id = data.info().map_err(|error| failed(&error))?.id();
        let map = Map::from_map_data(data).map_err(|error| failed(&error))?;
        let ring = RingBuf::try_from(map).map_err(|error| failed(&error))?;
        Ok((lock, ring, id))
    }

    /// Goes on with the pinned buffer if it is not the one at hand. Called when
    /// that has been read to its end.
    fn follow(&mut self) -> Result<()> {
        let pinned = sys::open_pin(&self.layout.map(maps::EVENTS))
            .and_then(|map| sys::map_info(map.as_fd()));
        match pinned {
            Ok(info) if info.id != self.ring_id => {}
            // Nothing is pinned, or the same: there is nothing to go over to.
            _ => return Ok(()),
        }
        let (lock, ring, id) = Self::open_ring(&self.layout)?;
        self.lock = lock;
        self.ring = ring;
        self.ring_id = id;
        self.counters = status::counters(&self.layout, &self.system).unwrap_or_default();
        self.reports = Reports::default();
        self.reports.learn(|| in_force(&self.layout));
        Ok(())
    }

    /// The directory of the maps carries the readers' lock, so that reading and
    /// applying do not keep each other waiting.
    fn lock(layout: &Layout, directory: &Path) -> Result<Lock> {
        let dir = layout.dir().to_owned();
        match lock::exclusive(directory) {
            Ok(Attempt::Held(lock)) => Ok(lock),
            Ok(Attempt::Busy(holder)) => Err(Error::ReaderBusy { dir, holder }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::NothingApplied { dir })
            }
            Err(source) => Err(Error::system("locking the events", source)),
        }
    }

    /// The next item, waiting for it up to `timeout` (`None`: for ever). `None`
    /// when the time is over, or a signal came.
    ///
    /// # Errors
    ///
    /// When waiting fails.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<EventItem>> {
        let begin = Instant::now();
        loop {
            if let Some(lost) = self.lost_if_due()? {
                return Ok(Some(EventItem::Lost(lost)));
            }
            if let Some(item) = self.take() {
                return Ok(Some(item));
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(begin.elapsed()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            // Now and then it wakes up for the counters and the pins.
            if self.pins_looked_at.elapsed() >= COUNTERS_EVERY {
                self.pins_looked_at = Instant::now();
                self.follow()?;
            }
            let wait = left.unwrap_or(COUNTERS_EVERY).min(COUNTERS_EVERY);
            if !self.wait(wait)? {
                return Ok(None);
            }
        }
    }

    /// Takes what is there, without waiting.
    fn take(&mut self) -> Option<EventItem> {
        let now = Instant::now();
        if now.duration_since(self.clock_read) >= CLOCK_EVERY {
            self.clock = BootClock::now();
            self.clock_read = now;
        }
        let decoded = {
            let bytes = self.ring.next()?;
            EventRecord::decode(&bytes, &self.clock)
        };
        Some(match decoded {
            Ok(record) => {
                self.reports
                    .learn_for(record.epoch, || in_force(&self.layout));
                EventItem::Event(record)
            }
            Err(error) => EventItem::Damaged(error),
        })
    }

    /// Waits for the ring buffer; `false`: a signal came.
    fn wait(&self, time: Duration) -> Result<bool> {
        let mut fds = [PollFd::from_borrowed_fd(self.ring.as_fd(), PollFlags::IN)];
        let time = Timespec::try_from(time)
            .map_err(|error| Error::system("waiting for events", std::io::Error::other(error)))?;
        match poll(&mut fds, Some(&time)) {
            Ok(_) => Ok(true),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(Error::system("waiting for events", error.into())),
        }
    }

    fn lost_if_due(&mut self) -> Result<Option<Lost>> {
        let now = Instant::now();
        if now.duration_since(self.counters_read) < COUNTERS_EVERY {
            return Ok(None);
        }
        self.counters_read = now;
        self.lost()
    }

    /// What was lost since this was last said, now.
    ///
    /// # Errors
    ///
    /// When the counters cannot be read.
    pub fn lost(&mut self) -> Result<Option<Lost>> {
        // After a remove there is nothing to count any more.
        let Ok(counters) = status::counters(&self.layout, &self.system) else {
            return Ok(None);
        };
        let grown = counters.since(&self.counters);
        self.counters = counters;
        let lost = Lost {
            full: grown.get(Counter::LostFull),
            rate: grown.get(Counter::LostRate),
            busy: grown.get(Counter::LostBusy),
        };
        let any = lost.full != 0 || lost.rate != 0 || lost.busy != 0;
        Ok(any.then_some(lost))
    }

    /// The report (JSON, as the compiler wrote it) of the image of an epoch;
    /// `None` when that image was gone before a record of it was read.
    #[must_use]
    pub fn report(&self, epoch: u32) -> Option<Arc<Vec<u8>>> {
        self.reports.of(epoch)
    }
}

/// The epoch of the image in force, and how its report is read.
fn in_force(layout: &Layout) -> Option<(u32, impl FnOnce() -> Vec<u8>)> {
    let (header, map) = status::image_in_force(layout).ok()?;
    let epoch = header.epoch;
    let read = move || {
        header
            .report_pages()
            .and_then(|(first, count, within)| {
                let pages = store::read_pages(map.as_fd(), first, count).ok()?;
                Some(pages.get(within)?.to_vec())
            })
            .unwrap_or_default()
    };
    Some((epoch, read))
}
