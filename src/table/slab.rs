//! Where entries are kept, under numbers that stay.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::record::{Sequence, Signature};
use crate::table::entry::{Entry, Gone, Slot};
use crate::table::row::{Content, Row};

/// Entries in chunks: growing moves none of them, asks for no large piece of memory, and leaves
/// less than a chunk unused, where doubling wastes up to the size of the table.
#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Chunk>,
    /// Slots up to the highest that was ever taken.
    slots: usize,
    free: Vec<Slot>,
}

/// Entries of a chunk: their rows and hashes take a page.
const CHUNK: usize = 64;
/// Bytes of a version and a beat that are not in the row.
const WIDE: usize = 12;

/// The hashes are by themselves: filters and sketches look at all of them and at nothing else.
struct Rows {
    rows: [Option<Row>; CHUNK],
    hashes: [u64; CHUNK],
}

struct Chunk {
    /// A bit for each entry that there is.
    there: u64,
    rows: Box<Rows>,
    /// What stands at each content: body, sequence if wide, signature if signed, from an even place on.
    /// What was given up stays until room is needed.
    contents: Vec<u8>,
}

impl Slab {
    /// Slots that there are, free ones included.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    pub(super) fn get(&self, slot: Slot) -> Option<Entry<'_>> {
        let (chunk, at) = split(slot);
        self.chunks.get(chunk)?.get(at)
    }

    pub(super) fn row(&self, slot: Slot) -> Option<&Row> {
        let (chunk, at) = split(slot);
        self.chunks.get(chunk)?.rows.rows[at].as_ref()
    }

    pub(super) fn row_mut(&mut self, slot: Slot) -> Option<&mut Row> {
        let (chunk, at) = split(slot);
        self.chunks.get_mut(chunk)?.rows.rows[at].as_mut()
    }

    pub(super) fn insert(&mut self, entry: Entry<'_>) -> Slot {
        let slot = self.free.pop().unwrap_or(self.slots as Slot);
        let (chunk, at) = split(slot);
        self.slots = self.slots.max(slot as usize + 1);
        if chunk == self.chunks.len() {
            // It will take about as much as the one before.
            let before = self.chunks.last().map_or(0, |c| c.contents.len());
            self.chunks.push(Chunk::with_capacity(before));
        }
        self.chunks[chunk].put(at, entry);
        slot
    }

    /// Writes another sequence and signature to the same body.
    pub(super) fn renew(
        &mut self,
        slot: Slot,
        sequence: Sequence,
        hash: u64,
        signature: Option<&Signature>,
    ) {
        let (chunk, at) = split(slot);
        let Some(chunk) = self.chunks.get_mut(chunk) else {
            return;
        };
        if chunk.renew(at, sequence, hash, signature) {
            return;
        }
        if let Some(gone) = chunk.get(at).map(Entry::to_gone) {
            let entry = gone.entry();
            let renewed = Entry::kept(entry.row(), hash, sequence, entry.body(), signature);
            chunk.put(at, renewed);
        }
    }

    pub(super) fn take(&mut self, slot: Slot) -> Option<Gone> {
        let gone = self.get(slot)?.to_gone();
        let (chunk, at) = split(slot);
        self.chunks[chunk].clear(at);
        self.free.push(slot);
        Some(gone)
    }

    /// In the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, Entry<'_>)> {
        self.each(Chunk::get)
    }

    /// In the order of their slots.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Slot, &Row)> {
        self.each(|chunk, at| chunk.rows.rows[at].as_ref())
    }

    /// In the order of their slots.
    pub(super) fn hashes(&self) -> impl Iterator<Item = (Slot, u64)> {
        self.each(|chunk, at| Some(chunk.rows.hashes[at]))
    }

    fn each<'a, T>(
        &'a self,
        look: impl Fn(&'a Chunk, usize) -> Option<T> + Copy + 'a,
    ) -> impl Iterator<Item = (Slot, T)> {
        self.chunks.iter().enumerate().flat_map(move |(c, chunk)| {
            let first = (c * CHUNK) as Slot;
            let there = move |at: &usize| chunk.there >> at & 1 == 1;
            let there = (0..CHUNK).filter(there);
            there.filter_map(move |at| Some((first + at as Slot, look(chunk, at)?)))
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let contents: usize = self.chunks.iter().map(|c| c.contents.capacity()).sum();
        contents
            + self.chunks.len() * size_of::<Rows>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.free.capacity() * size_of::<Slot>()
    }
}

fn split(slot: Slot) -> (usize, usize) {
    (slot as usize / CHUNK, slot as usize % CHUNK)
}

impl Content {
    fn bytes(self) -> usize {
        usize::from(self.body)
            + self.wide_bytes()
            + usize::from(self.signed) * size_of::<Signature>()
    }

    fn wide_bytes(self) -> usize {
        usize::from(self.wide) * WIDE
    }
}

impl Chunk {
    fn with_capacity(contents: usize) -> Self {
        Self {
            there: 0,
            rows: Box::new(Rows {
                rows: [None; CHUNK],
                hashes: [0; CHUNK],
            }),
            contents: Vec::with_capacity(contents),
        }
    }

    fn get(&self, at: usize) -> Option<Entry<'_>> {
        let row = self.rows.rows[at].as_ref()?;
        let content = row.content();
        let rest = self.contents.get(2 * usize::from(content.start)..)?;
        let (body, rest) = rest.split_at_checked(usize::from(content.body))?;
        let (wide, rest) = rest.split_at_checked(content.wide_bytes())?;
        let signature = rest.first_chunk().filter(|_| content.signed);
        let sequence = sequence_of(row, wide);
        Some(Entry::kept(
            row,
            self.rows.hashes[at],
            sequence,
            body,
            signature,
        ))
    }

    fn put(&mut self, at: usize, entry: Entry<'_>) {
        let Sequence { version, beat } = entry.sequence();
        let mut row = *entry.row();
        (row.version, row.beat) = (version as u32, beat as u16);
        let mut content = Content {
            start: 0,
            body: entry.body().len() as u16,
            wide: is_wide(entry.sequence()),
            signed: entry.is_signed(),
        };
        self.clear(at);
        self.make_room(content.bytes());
        content.start = (self.contents.len() / 2) as u16;
        self.contents.extend_from_slice(entry.body());
        if content.wide {
            self.contents.extend_from_slice(&version.to_le_bytes());
            self.contents.extend_from_slice(&beat.to_le_bytes());
        }
        self.contents
            .extend(entry.signature().into_iter().flatten());
        self.even();
        row.set_content(content);
        self.rows.rows[at] = Some(row);
        self.rows.hashes[at] = entry.hash;
        self.there |= 1 << at;
    }

    fn clear(&mut self, at: usize) {
        self.rows.rows[at] = None;
        self.there &= !(1 << at);
    }

    /// Writes another sequence and signature where those before are; false if they do not fit.
    fn renew(&mut self, at: usize, to: Sequence, hash: u64, signature: Option<&Signature>) -> bool {
        let Some(row) = &mut self.rows.rows[at] else {
            return false;
        };
        let Content {
            start,
            body,
            wide,
            signed,
        } = row.content();
        if wide || is_wide(to) || signed != signature.is_some() {
            return false;
        }
        (row.version, row.beat) = (to.version as u32, to.beat as u16);
        self.rows.hashes[at] = hash;
        let after = 2 * usize::from(start) + usize::from(body);
        let written = self.contents.iter_mut().skip(after);
        written
            .zip(signature.into_iter().flatten())
            .for_each(|(to, byte)| *to = *byte);
        true
    }

    /// Room for so much more, and for a last byte that makes it even: what was given up goes first.
    fn make_room(&mut self, more: usize) {
        let more = more + more % 2;
        if self.contents.len() + more <= self.contents.capacity() {
            return;
        }
        let rows = &mut self.rows.rows;
        let kept: usize = rows
            .iter()
            .flatten()
            .map(|row| row.content().bytes() + 1)
            .sum();
        let mut contents = Vec::with_capacity(kept + more + (kept + more) / 8);
        for row in rows.iter_mut().flatten() {
            let mut content = row.content();
            let from = 2 * usize::from(content.start);
            content.start = (contents.len() / 2) as u16;
            contents.extend_from_slice(&self.contents[from..][..content.bytes()]);
            contents.resize(contents.len().next_multiple_of(2), 0);
            row.set_content(content);
        }
        self.contents = contents;
    }

    fn even(&mut self) {
        let even = self.contents.len().next_multiple_of(2);
        self.contents.resize(even, 0);
    }
}

/// Whether a row has no room for it.
fn is_wide(sequence: Sequence) -> bool {
    u32::try_from(sequence.version).is_err() || u16::try_from(sequence.beat).is_err()
}

fn sequence_of(row: &Row, wide: &[u8]) -> Sequence {
    let wide = wide.split_first_chunk().and_then(|(version, rest)| {
        Some((
            u64::from_le_bytes(*version),
            u32::from_le_bytes(*rest.first_chunk()?),
        ))
    });
    let (version, beat) = wide.unwrap_or((row.version.into(), row.beat.into()));
    Sequence { version, beat }
}
