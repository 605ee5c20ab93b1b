//! Ignored lines cost no memory: comments without a listener, and unknown fields.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ssejet_core::{Event, Options, Parser, Sink};

thread_local! {
    /// Only of this thread, because tests run in parallel.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Count(usize);

impl Sink for Count {
    fn event(&mut self, _event: Event<'_>) {
        self.0 += 1;
    }
}

/// The allocations that a stream costs once the parser has seen one like it.
fn allocations(stream: &[u8], read_size: usize) -> usize {
    let mut parser = Parser::new(Options::default());
    let mut events = Count(0);
    let mut feed = || {
        for chunk in stream.chunks(read_size) {
            parser.feed(chunk, &mut events).expect("nothing here is too large");
        }
    };
    feed();
    let before = ALLOCATIONS.get();
    feed();
    ALLOCATIONS.get() - before
}

#[test]
fn the_allocator_counts() {
    let before = ALLOCATIONS.get();
    let counted = std::hint::black_box(vec![0_u8; 100]);
    assert_eq!(ALLOCATIONS.get() - before, 1);
    drop(counted);
}

#[test]
fn comments_without_a_listener_cost_no_allocation_however_they_are_cut() {
    let stream = b": keep-alive\n\n:\r\n: ping - 2026-01-01 00:00:00\r\r".repeat(1000);
    for read_size in [1, 7, 64, 1000, stream.len()] {
        assert_eq!(allocations(&stream, read_size), 0, "in reads of {read_size}");
    }
}

#[test]
fn unknown_fields_cost_no_allocation_however_they_are_cut() {
    let stream = b"x-request-id: 5d1e3c6a\ndatum: 1\nidea\nretrying: 2\nevents:\n\n".repeat(1000);
    for read_size in [1, 7, 64, 1000, stream.len()] {
        assert_eq!(allocations(&stream, read_size), 0, "in reads of {read_size}");
    }
}

#[test]
fn events_that_arrive_whole_cost_no_allocation() {
    let stream = b"event: delta\nid: 7\ndata: {\"choices\":[]}\n\n".repeat(1000);
    assert_eq!(allocations(&stream, stream.len()), 0);
}
