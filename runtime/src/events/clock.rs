//! From time since boot to wall-clock time.

use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// When the machine was booted, as far as the wall clock knows now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootClock {
    booted: SystemTime,
}

impl BootClock {
    /// Reads both clocks. The wall clock may be set later: make a new one now
    /// and then.
    #[must_use]
    pub fn now() -> Self {
        let since_boot = clock_gettime(ClockId::Boottime);
        let since_boot = Duration::new(
            u64::try_from(since_boot.tv_sec).unwrap_or(0),
            u32::try_from(since_boot.tv_nsec).unwrap_or(0),
        );
        let booted = SystemTime::now()
            .checked_sub(since_boot)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        Self { booted }
    }

    /// The wall-clock time of a `CLOCK_BOOTTIME` reading in nanoseconds.
    #[must_use]
    pub fn wall(&self, nanoseconds: u64) -> SystemTime {
        self.booted
            .checked_add(Duration::from_nanos(nanoseconds))
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_now() {
        let clock = BootClock::now();
        let time = clock_gettime(ClockId::Boottime);
        let wall = clock.wall(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64);
        let off = SystemTime::now().duration_since(wall).unwrap_or_default();
        assert!(off < Duration::from_secs(5));
        let _ = clock.wall(u64::MAX);
    }
}
