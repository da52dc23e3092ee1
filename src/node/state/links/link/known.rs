//! What each end of a link knows of the other's table.

use super::LinkState;

impl LinkState {
    /// The peer has so many records.
    pub(crate) fn has_records(&mut self, count: u32) {
        self.count = count;
    }

    /// Records that the peer has, as it has said last.
    pub(crate) fn records(&self) -> usize {
        self.count as usize
    }

    /// The own record has been sent on it, or is now. Whether for the first time.
    pub(crate) fn introduce(&mut self) -> bool {
        !core::mem::replace(&mut self.introduced, true)
    }

    /// The peer was answered on it.
    pub(crate) fn has_answered(&mut self) {
        self.exchanged = true;
    }

    /// An exchange has come to its answer on it.
    pub(crate) fn has_exchanged(&self) -> bool {
        self.exchanged
    }

    /// A record with this hash has gone over it.
    pub(crate) fn note(&mut self, hash: u64) {
        let (hashes, n) = &mut self.common;
        let n = usize::from(*n);
        if n < hashes.len() && !hashes[..n].contains(&(hash as u32)) {
            hashes[n] = hash as u32;
            self.common.1 += 1;
        }
    }

    /// Whether a record with this hash has gone over it, among the first.
    pub(crate) fn has_carried(&self, hash: u64) -> bool {
        let (hashes, n) = &self.common;
        hashes[..usize::from(*n)].contains(&(hash as u32))
    }

    /// What has gone over it may have been lost.
    pub(crate) fn forget_carried(&mut self) {
        self.common.1 = 0;
    }
}
