//! Decisions, from given bytes or from a seed.
//!
//! A fuzzer that changes a byte of its input changes one decision. When the bytes have
//! run out, decisions are a sequence of well mixed numbers: no input is too short.

/// A source of decisions.
#[derive(Debug, Clone)]
pub struct Choices<'a> {
    given: &'a [u8],
    state: u64,
}

impl Choices<'static> {
    /// A sequence that the seed stands for.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self {
            given: &[],
            state: seed,
        }
    }
}

impl<'a> Choices<'a> {
    /// First these bytes, then always the same sequence.
    #[must_use]
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self {
            given: bytes,
            state: 0,
        }
    }

    /// Whether bytes are left.
    #[must_use]
    pub const fn has_bytes(&self) -> bool {
        !self.given.is_empty()
    }

    /// The bytes that are left.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.given
    }

    /// Sixty-four bits.
    pub fn number(&mut self) -> u64 {
        if self.has_bytes() {
            return self.take(8);
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn take(&mut self, most: usize) -> u64 {
        let (now, rest) = self.given.split_at(self.given.len().min(most));
        self.given = rest;
        now.iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// A number below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        let number = match end {
            _ if !self.has_bytes() => self.number(),
            0..=0x100 => self.take(1),
            0x101..=0x1_0000 => self.take(2),
            _ => self.take(4),
        };
        (number % end.max(1) as u64) as usize
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times.saturating_sub(1)
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.below(0x100) as u8
    }

    /// One of several.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_first() {
        let mut choices = Choices::of(&[7, 1, 2, 9]);
        assert_eq!(choices.below(5), 2);
        assert_eq!(choices.below(1000), 0x201);
        assert_eq!(choices.byte(), 9);
        assert!(!choices.has_bytes());
        let mut again = Choices::of(&[]);
        assert_eq!(choices.number(), again.number());
        assert_ne!(choices.number(), Choices::seeded(1).number());
    }
}
