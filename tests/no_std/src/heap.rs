//! The least that is an allocator: it hands out an array from front to back, and takes nothing
//! back. Enough for a check that has to link, and short enough to be seen to be right.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 4 << 20;

struct Heap {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

// SAFETY: `used` hands out each part of `memory` once, by an atomic exchange.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap {
    memory: UnsafeCell::new([0; SIZE]),
    used: AtomicUsize::new(0),
};

// SAFETY: what is handed out is inside `memory`, aligned, and never handed out again.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base: *mut u8 = self.memory.get().cast();
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let start = (base as usize + used).next_multiple_of(layout.align()) - base as usize;
            let end = match start.checked_add(layout.size()) {
                Some(end) if end <= SIZE => end,
                _ => return null_mut(),
            };
            let exchanged =
                self.used
                    .compare_exchange_weak(used, end, Ordering::Relaxed, Ordering::Relaxed);
            match exchanged {
                // SAFETY: `start` is at most `SIZE`.
                Ok(_) => return unsafe { base.add(start) },
                Err(now) => used = now,
            }
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
