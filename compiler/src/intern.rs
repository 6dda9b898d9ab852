//! Values that are kept once, and numbered in the order in which they come.
//!
//! Owns the two forms: single values ([`Interner`]) and lists of numbers, one after
//! the other in one piece of memory ([`Lists`], [`ListInterner`]). It must not know
//! what is interned.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// The number of the next of so many.
pub(crate) fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The hash by which things are found.
pub(crate) fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    FxBuildHasher.hash_one(value)
}

/// Distinct values.
#[derive(Debug, Clone)]
pub(crate) struct Interner<T> {
    list: Vec<T>,
    /// Their hashes: a table that grows need not look at the values again.
    hashes: Vec<u64>,
    ids: HashTable<u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            hashes: Vec::new(),
            ids: HashTable::new(),
        }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The number of a value, and whether it is new.
    pub(crate) fn intern(&mut self, value: T) -> (u32, bool) {
        let Self { list, hashes, ids } = self;
        let fresh = number(list.len());
        let hashed = hash(&value);
        let entry = ids.entry(
            hashed,
            |id| list.get(*id as usize) == Some(&value),
            |id| hashes.get(*id as usize).copied().unwrap_or_default(),
        );
        let id = *entry.or_insert(fresh).get();
        if id == fresh {
            list.push(value);
            hashes.push(hashed);
        }
        (id, id == fresh)
    }

    /// The same of something that becomes such a value only if it is new.
    pub(crate) fn intern_ref<Q>(&mut self, value: &Q) -> (u32, bool)
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        for<'q> &'q Q: Into<T>,
    {
        let Self { list, hashes, ids } = self;
        let fresh = number(list.len());
        let hashed = hash(value);
        let entry = ids.entry(
            hashed,
            |id| {
                list.get(*id as usize)
                    .is_some_and(|known| known.borrow() == value)
            },
            |id| hashes.get(*id as usize).copied().unwrap_or_default(),
        );
        let id = *entry.or_insert(fresh).get();
        if id == fresh {
            list.push(value.into());
            hashes.push(hashed);
        }
        (id, id == fresh)
    }

    /// A value.
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.list.get(id as usize)
    }

    /// All of them, by number.
    pub(crate) fn list(&self) -> &[T] {
        &self.list
    }
}

/// Lists of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    items: Vec<u32>,
    /// Where each ends among the items.
    ends: Vec<u32>,
}

impl Lists {
    /// Adds a list; its number.
    pub(crate) fn push(&mut self, list: &[u32]) -> u32 {
        let fresh = number(self.ends.len());
        self.items.extend_from_slice(list);
        self.ends.push(number(self.items.len()));
        fresh
    }

    /// A list; empty if there is none of that number.
    pub(crate) fn get(&self, id: u32) -> &[u32] {
        let before = (id as usize).checked_sub(1);
        let start = before.map_or(Some(&0), |before| self.ends.get(before));
        match (start, self.ends.get(id as usize)) {
            (Some(start), Some(end)) => self
                .items
                .get(*start as usize..*end as usize)
                .unwrap_or_default(),
            _ => &[],
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..number(self.len())).map(|id| self.get(id))
    }
}

/// Distinct lists of numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListInterner {
    lists: Lists,
    ids: HashTable<u32>,
}

impl ListInterner {
    /// The number of a list, and whether it is new.
    pub(crate) fn intern(&mut self, list: &[u32]) -> (u32, bool) {
        let Self { lists, ids } = self;
        let fresh = number(lists.len());
        let entry = ids.entry(
            hash(list),
            |id| lists.get(*id) == list,
            |id| hash(lists.get(*id)),
        );
        let id = *entry.or_insert(fresh).get();
        if id == fresh {
            lists.push(list);
        }
        (id, id == fresh)
    }

    /// The number of a list that is there.
    pub(crate) fn find(&self, list: &[u32]) -> Option<u32> {
        let found = self.ids.find(hash(list), |id| self.lists.get(*id) == list);
        found.copied()
    }

    /// The lists.
    pub(crate) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The lists, for good.
    pub(crate) fn into_lists(self) -> Lists {
        self.lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_numbers() {
        let mut interner = Interner::default();
        assert_eq!(interner.intern("a"), (0, true));
        assert_eq!(interner.intern("b"), (1, true));
        assert_eq!(interner.intern("a"), (0, false));
        assert_eq!(interner.get(1), Some(&"b"));
        assert_eq!(interner.list(), ["a", "b"]);
    }

    #[test]
    fn lists_of_any_length() {
        let mut interner = ListInterner::default();
        for number in 0..2000_u32 {
            let list: Vec<u32> = (0..number % 5).map(|item| item + number).collect();
            let (id, _) = interner.intern(&list);
            assert_eq!(interner.lists().get(id), list);
            assert_eq!(interner.intern(&list), (id, false));
        }
        assert_eq!(interner.intern(&[]), (0, false));
        // One of five is empty.
        assert_eq!(interner.lists().len(), 1601);
        assert_eq!(interner.lists().iter().count(), 1601);
        assert_eq!(interner.into_lists().get(9999), &[] as &[u32]);
    }
}
