//! Builds images by hand: no sharing, no checks.

use lsmpc_abi::{ABI_VERSION, field::FieldId, hook::HookId, image::*};

/// A terminal ref.
pub(crate) fn terminal(outcome: u32) -> u32 {
    outcome | REF_TERMINAL
}

/// A terminal ref of an outcome that need not exist.
pub(crate) fn deny(outcome: u32) -> u32 {
    terminal(outcome)
}

struct Edge {
    from: u32,
    hash: u64,
    to: u32,
    key: u32,
}

/// An image under construction.
pub(crate) struct Builder {
    bytes: Vec<u8>,
    edges: Vec<Edge>,
    outcomes: Vec<u32>,
    seed: u64,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; PAGE_SIZE],
            edges: Vec::new(),
            outcomes: vec![0; 4],
            seed: 0x5eed,
        }
    }

    pub(crate) fn here(&mut self, align: usize) -> u32 {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(align), 0);
        self.bytes.len() as u32
    }

    pub(crate) fn words(&mut self, align: usize, words: &[u32]) -> u32 {
        let at = self.here(align);
        for word in words {
            self.bytes.extend(word.to_le_bytes());
        }
        at
    }

    fn set(&mut self, at: usize, word: u32) {
        self.bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    pub(crate) fn boundaries(&mut self, values: &[u64]) -> u32 {
        let at = self.here(16);
        for value in values {
            self.bytes.extend(value.to_le_bytes());
        }
        at
    }

    pub(crate) fn state(&mut self, class: u32, default: u32, automaton: u32, flags: u32) -> u32 {
        self.words(16, &[class, default, automaton, flags])
    }

    /// Accepts `hit` for names that begin with the prefix, else `miss`.
    pub(crate) fn prefix_automaton(&mut self, prefix: &[u8], hit: u32, miss: u32) -> u32 {
        let columns = 256_usize;
        let states = prefix.len() + 2;
        let map = self.here(256);
        self.bytes.extend(0..=255_u8);
        let transitions = self.here(16);
        // 0 is dead, 1 + n has seen n bytes.
        for state in 0..states {
            for byte in 0..columns {
                let next = match state {
                    0 => 0,
                    _ if state == states - 1 => state,
                    _ if usize::from(prefix[state - 1]) == byte => state + 1,
                    _ => 0,
                };
                self.bytes.extend((next as u16).to_le_bytes());
            }
        }
        let mut accepts = vec![miss; states];
        accepts[states - 1] = hit;
        let accepts = self.words(16, &accepts);
        let (states, columns) = (states as u32, columns as u32);
        self.words(16, &[states, columns, map, transitions, accepts, 1, 0, 0])
    }

    pub(crate) fn path_edge(&mut self, from: u32, name: &[u8], to: u32) {
        let mut at = self.here(8);
        if at as usize % PAGE_SIZE + 8 + 256 > PAGE_SIZE {
            at = self.here(PAGE_SIZE);
        }
        self.bytes.extend([0; 6]);
        self.bytes.extend((name.len() as u16).to_le_bytes());
        self.bytes.extend(name);
        self.here(8);
        let mut hash = hash_start(self.seed, from, name.len() as u32);
        for chunk in name.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = hash_word(hash, u64::from_le_bytes(word));
        }
        self.edges.push(Edge {
            from,
            hash: hash_end(hash),
            to,
            key: at + 6,
        });
    }

    pub(crate) fn dense(&mut self, field: FieldId, classifier: u32, refs: &[u32]) -> u32 {
        let kind = u32::from(NODE_DENSE) | u32::from(field as u8) << 8;
        let at = self.words(16, &[kind, classifier, refs.len() as u32, 0]);
        self.words(4, refs);
        at
    }

    pub(crate) fn hashed(
        &mut self,
        field: FieldId,
        classifier: u32,
        default: u32,
        exceptions: &[(u32, u32)],
    ) -> u32 {
        let kind = u32::from(NODE_HASHED) | u32::from(field as u8) << 8;
        let at = self.words(16, &[kind, classifier, default, 0]);
        for (class, to) in exceptions {
            let hash = hash_word(hash_start(self.seed, at, u32::MAX), u64::from(*class));
            self.edges.push(Edge {
                from: at,
                hash: hash_end(hash),
                to: *to,
                key: class | KEY_CLASS,
            });
        }
        at
    }

    pub(crate) fn bits(&mut self, field: FieldId, mask: u64, want: u64, refs: [u32; 4]) -> u32 {
        let kind = u32::from(NODE_BITS) | u32::from(field as u8) << 8;
        let at = self.words(16, &[kind, 0, 0, 0]);
        self.boundaries(&[mask, want]);
        self.words(4, &refs);
        at
    }

    pub(crate) fn outcome(&mut self, ret: i32, flags: u32, rate: u32) -> u32 {
        self.outcomes.extend([ret as u32, flags, rate, 0]);
        terminal(self.outcomes.len() as u32 / 4 - 1)
    }

    pub(crate) fn exe_classifier(&mut self, at: u32) {
        self.set(H_EXE_CLASSIFIER, at);
    }

    pub(crate) fn root(&mut self, hook: HookId, root: u32) {
        self.set(H_HOOKS + hook as usize * HOOK_ENTRY_SIZE, root);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let outcomes = std::mem::take(&mut self.outcomes);
        let at = self.words(16, &outcomes);
        self.set(H_OUTCOMES, at);
        self.set(H_OUTCOME_COUNT, outcomes.len() as u32 / 4);
        let mut buckets = (self.edges.len() / 2 + 1).next_power_of_two();
        let table = loop {
            match self.place(buckets) {
                Some(table) => break table,
                None => buckets *= 2,
            }
        };
        let at = self.words(64, &table);
        self.set(H_EDGES, at);
        self.set(H_EDGE_MASK, buckets as u32 - 1);
        self.here(PAGE_SIZE);
        let pages = (self.bytes.len() / PAGE_SIZE) as u32;
        self.bytes[..8].copy_from_slice(&MAGIC);
        self.set(H_ABI, ABI_VERSION);
        self.set(H_PAGES, pages);
        let seed = self.seed.to_le_bytes();
        self.bytes[H_SEED..H_SEED + 8].copy_from_slice(&seed);
        self.set(H_TABLES_END, pages * PAGE_SIZE as u32);
        self.bytes
    }

    fn place(&self, buckets: usize) -> Option<Vec<u32>> {
        let mask = buckets - 1;
        let mut table = vec![0; buckets * 16];
        for edge in &self.edges {
            let slot = [edge.hash as u32, (edge.hash >> 32) as u32]
                .into_iter()
                .flat_map(|half| (0..4).map(move |entry| (half as usize & mask) * 16 + entry * 4))
                .find(|slot| table[*slot] == 0)?;
            let tag = (edge.hash >> 16) as u32;
            table[slot..slot + 4].copy_from_slice(&[edge.from, tag, edge.to, edge.key]);
        }
        Some(table)
    }
}
