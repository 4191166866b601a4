//! The world's own event queue: microseconds, first in first out within an instant.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Micros;

struct Entry<T> {
    key: Reverse<(Micros, u64)>,
    item: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// Items by the instant at which they are due; ties in the order in which they were added.
pub struct EventQueue<T> {
    heap: BinaryHeap<Entry<T>>,
    added: u64,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            added: 0,
        }
    }
}

impl<T> EventQueue<T> {
    /// Adds `item`, due at `at`.
    pub fn push(&mut self, at: Micros, item: T) {
        self.heap.push(Entry {
            key: Reverse((at, self.added)),
            item,
        });
        self.added += 1;
    }

    /// When the first item is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Micros> {
        self.heap.peek().map(|e| e.key.0.0)
    }

    /// Takes the first item if it is due at `now`.
    pub fn pop_due(&mut self, now: Micros) -> Option<(Micros, T)> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|e| (e.key.0.0, e.item))
    }
}

#[cfg(test)]
mod tests {
    use super::EventQueue;
    use crate::time::Micros;

    #[test]
    fn earliest_first_then_in_order_of_addition() {
        let mut event_queue = EventQueue::default();
        for (at, item) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            event_queue.push(Micros(at), item);
        }
        assert!(event_queue.pop_due(Micros(2)).is_none());
        let order: String =
            std::iter::from_fn(|| event_queue.pop_due(Micros(9)).map(|(_, c)| c)).collect();
        assert_eq!(order, "abcd");
    }
}
