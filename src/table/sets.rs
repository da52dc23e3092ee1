//! Sets of short IDs, for look-ups.

use alloc::vec;
use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::wire::ShortIds;

/// Most lists are of two bytes: those are bits in a map. Others are hashed, with a key: whoever
/// announces them chooses them.
pub(super) enum IdSet {
    Bits(Vec<u64>),
    Hashed(HashTable<u64>, u64),
}

impl IdSet {
    pub(super) fn of(list: &ShortIds, key: u64) -> Self {
        Self::collect(list.width(), list.len(), list.iter(), key)
    }

    pub(super) fn collect(
        width: usize,
        n: usize,
        ids: impl Iterator<Item = u64>,
        key: u64,
    ) -> Self {
        if width <= 2 {
            let mut bits = vec![0_u64; 1 << 10];
            ids.for_each(|id| bits[id as usize >> 6 & 0x3ff] |= 1 << (id & 63));
            return Self::Bits(bits);
        }
        let mut set = HashTable::with_capacity(n);
        for id in ids {
            // A list may be anything: the same ID a thousand times is stored once.
            let hash = hash(id, key);
            if set.find(hash, |other| *other == id).is_none() {
                set.insert_unique(hash, id, |id| self::hash(*id, key));
            }
        }
        Self::Hashed(set, key)
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        match self {
            Self::Bits(bits) => bits[id as usize >> 6 & 0x3ff] >> (id & 63) & 1 == 1,
            Self::Hashed(set, key) => set.find(hash(id, *key), |other| *other == id).is_some(),
        }
    }
}

/// A folded product with a secret: without it nobody can choose IDs that fall together.
fn hash(id: u64, key: u64) -> u64 {
    let product = u128::from(id ^ key) * u128::from(key | 1);
    product as u64 ^ (product >> 64) as u64
}
