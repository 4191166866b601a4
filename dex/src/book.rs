//! A price-time-priority limit order book.
//!
//! Orders live in a slab and are linked into one queue for each price level. A market's prices lie
//! in a band of [`PRICE_LEVELS`] ticks, so levels are an array, and the best price of a side is found
//! in a two-level bitmap. Nothing allocates once the slab has grown, cloning copies flat memory,
//! and iteration follows price and time, never the layout of the slab.
//!
//! ```text
//! summary ── 64 words ── level[price] ── head ⇄ order ⇄ order ⇄ tail      (oldest first)
//! ```

use crate::market::PRICE_LEVELS;
use crate::types::{AccountId, OrderId, Price, Qty, Side};

const NIL: u32 = u32::MAX;

/// Index of an order in its book's slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u32);

/// An order that rests in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Its id; a smaller one arrived earlier.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Lots ordered.
    pub qty: Qty,
    /// Lots not filled yet, at least 1.
    pub remaining: Qty,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    order: Resting,
    prev: u32,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    head: u32,
    tail: u32,
}

/// Which levels of one side hold orders.
#[derive(Clone, Debug)]
struct Bitmap {
    summary: u64,
    words: [u64; PRICE_LEVELS / 64],
}

impl Bitmap {
    const EMPTY: Self = Self {
        summary: 0,
        words: [0; PRICE_LEVELS / 64],
    };

    #[inline]
    fn set(&mut self, level: usize) {
        self.words[level >> 6] |= 1 << (level & 63);
        self.summary |= 1 << (level >> 6);
    }

    #[inline]
    fn clear(&mut self, level: usize) {
        let word = &mut self.words[level >> 6];
        *word &= !(1 << (level & 63));
        if *word == 0 {
            self.summary &= !(1 << (level >> 6));
        }
    }

    #[inline]
    fn lowest(&self) -> Option<usize> {
        (self.summary != 0).then(|| {
            let w = self.summary.trailing_zeros() as usize;
            (w << 6) | self.words[w].trailing_zeros() as usize
        })
    }

    #[inline]
    fn highest(&self) -> Option<usize> {
        (self.summary != 0).then(|| {
            let w = 63 - self.summary.leading_zeros() as usize;
            (w << 6) | (63 - self.words[w].leading_zeros() as usize)
        })
    }

    fn next_up(&self, after: usize) -> Option<usize> {
        let from = after + 1;
        let word = from >> 6;
        if from & 63 != 0 {
            let rest = self.words[word] & (u64::MAX << (from & 63));
            if rest != 0 {
                return Some((word << 6) | rest.trailing_zeros() as usize);
            }
        }
        let first = (from + 63) >> 6;
        let summary = self.summary & u64::MAX.checked_shl(first as u32).unwrap_or(0);
        (summary != 0).then(|| {
            let w = summary.trailing_zeros() as usize;
            (w << 6) | self.words[w].trailing_zeros() as usize
        })
    }

    fn next_down(&self, below: usize) -> Option<usize> {
        let word = below >> 6;
        let rest = self.words[word] & !(u64::MAX << (below & 63));
        if rest != 0 {
            return Some((word << 6) | (63 - rest.leading_zeros() as usize));
        }
        let summary = self.summary & !(u64::MAX << word);
        (summary != 0).then(|| {
            let w = 63 - summary.leading_zeros() as usize;
            (w << 6) | (63 - self.words[w].leading_zeros() as usize)
        })
    }
}

/// The book of one market.
#[derive(Clone, Debug)]
pub struct Book {
    min_price: i64,
    nodes: Vec<Node>,
    free: Vec<u32>,
    levels: Vec<Level>,
    bids: Bitmap,
    asks: Bitmap,
}

impl Book {
    /// An empty book whose lowest price is `min_price`.
    #[must_use]
    pub fn new(min_price: Price) -> Self {
        let empty = Level {
            head: NIL,
            tail: NIL,
        };
        Self {
            min_price: min_price.0,
            nodes: Vec::new(),
            free: Vec::new(),
            levels: vec![empty; PRICE_LEVELS],
            bids: Bitmap::EMPTY,
            asks: Bitmap::EMPTY,
        }
    }

    /// Number of open orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Whether no order is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn level_of(&self, price: Price) -> usize {
        (price.0 - self.min_price) as usize
    }

    #[inline]
    fn price_of(&self, level: usize) -> Price {
        Price(self.min_price + level as i64)
    }

    /// Whether `price` lies in the band.
    #[inline]
    #[must_use]
    pub fn in_band(&self, price: Price) -> bool {
        (0..PRICE_LEVELS as i64).contains(&price.0.wrapping_sub(self.min_price))
    }

    /// Best price of `side`: the highest bid or the lowest ask.
    #[inline]
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Price> {
        let level = match side {
            Side::Buy => self.bids.highest(),
            Side::Sell => self.asks.lowest(),
        }?;
        Some(self.price_of(level))
    }

    /// The oldest order at the best price of `side`.
    #[inline]
    #[must_use]
    pub fn front(&self, side: Side) -> Option<Slot> {
        self.best(side)
            .map(|p| Slot(self.levels[self.level_of(p)].head))
    }

    /// The newest order at the best price of `side` (what a faulty build takes for the oldest).
    #[must_use]
    pub fn back(&self, side: Side) -> Option<Slot> {
        self.best(side)
            .map(|p| Slot(self.levels[self.level_of(p)].tail))
    }

    /// The oldest order at `price` on `side`.
    #[must_use]
    pub fn front_at(&self, side: Side, price: Price) -> Option<&Resting> {
        if !self.in_band(price) {
            return None;
        }
        let head = self.levels[self.level_of(price)].head;
        (head != NIL)
            .then(|| &self.nodes[head as usize].order)
            .filter(|o| o.side == side)
    }

    /// The order in `slot`.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: Slot) -> &Resting {
        &self.nodes[slot.0 as usize].order
    }

    /// Appends an order at the end of its level's queue. Its price must lie in the band.
    #[inline]
    pub fn insert(&mut self, order: Resting) -> Slot {
        let level = self.level_of(order.price);
        let tail = self.levels[level].tail;
        let node = Node {
            order,
            prev: tail,
            next: NIL,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.nodes[slot as usize] = node;
                slot
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.levels[level].tail = slot;
        if tail == NIL {
            self.levels[level].head = slot;
            match order.side {
                Side::Buy => self.bids.set(level),
                Side::Sell => self.asks.set(level),
            }
        } else {
            self.nodes[tail as usize].next = slot;
        }
        Slot(slot)
    }

    /// Takes `qty` lots off the order in `slot`, leaving at least one.
    #[inline]
    pub fn reduce(&mut self, slot: Slot, qty: Qty) {
        let remaining = &mut self.nodes[slot.0 as usize].order.remaining.0;
        debug_assert!(*remaining > qty.0);
        *remaining -= qty.0;
    }

    /// Removes the order in `slot`.
    #[inline]
    pub fn remove(&mut self, slot: Slot) -> Resting {
        let Node { order, prev, next } = self.nodes[slot.0 as usize];
        let level = self.level_of(order.price);
        if prev == NIL {
            self.levels[level].head = next;
        } else {
            self.nodes[prev as usize].next = next;
        }
        if next == NIL {
            self.levels[level].tail = prev;
        } else {
            self.nodes[next as usize].prev = prev;
        }
        if prev == NIL && next == NIL {
            match order.side {
                Side::Buy => self.bids.clear(level),
                Side::Sell => self.asks.clear(level),
            }
        }
        // Marks the node as free for `unordered`.
        self.nodes[slot.0 as usize].order.remaining = Qty(0);
        self.free.push(slot.0);
        order
    }

    /// Open orders of `side` by priority: best price first, then oldest first.
    pub fn by_priority(&self, side: Side) -> impl Iterator<Item = (Slot, &Resting)> {
        let first = match side {
            Side::Buy => self.bids.highest(),
            Side::Sell => self.asks.lowest(),
        };
        let levels = std::iter::successors(first, move |&l| match side {
            Side::Buy => self.bids.next_down(l),
            Side::Sell => self.asks.next_up(l),
        });
        levels.flat_map(move |l| {
            let head = self.levels[l].head;
            std::iter::successors((head != NIL).then_some(head), move |&s| {
                let next = self.nodes[s as usize].next;
                (next != NIL).then_some(next)
            })
            .map(move |s| (Slot(s), &self.nodes[s as usize].order))
        })
    }

    /// All open orders: bids by priority, then asks by priority.
    pub fn orders(&self) -> impl Iterator<Item = (Slot, &Resting)> {
        self.by_priority(Side::Buy)
            .chain(self.by_priority(Side::Sell))
    }

    /// All open orders in the order of the slab, which means nothing: for sums and extremes only.
    pub(crate) fn unordered(&self) -> impl Iterator<Item = &Resting> {
        self.nodes
            .iter()
            .map(|node| &node.order)
            .filter(|order| order.remaining.0 != 0)
    }

    /// Whether the best bid reaches the best ask.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        match (self.best(Side::Buy), self.best(Side::Sell)) {
            (Some(bid), Some(ask)) => bid >= ask,
            _ => false,
        }
    }

    /// Overwrites the order in `slot`, for tests that doctor a state.
    #[cfg(test)]
    pub(crate) fn doctor(&mut self, slot: Slot) -> &mut Resting {
        &mut self.nodes[slot.0 as usize].order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: u64, side: Side, price: i64, qty: i64) -> Resting {
        Resting {
            id: OrderId(id),
            account: AccountId(0),
            side,
            price: Price(price),
            qty: Qty(qty),
            remaining: Qty(qty),
        }
    }

    fn ids(book: &Book, side: Side) -> Vec<u64> {
        book.by_priority(side).map(|(_, o)| o.id.0).collect()
    }

    #[test]
    fn priority_is_price_then_time() {
        let mut book = Book::new(Price(100));
        for (id, price) in [(1, 110), (2, 112), (3, 110), (4, 300), (5, 112)] {
            book.insert(order(id, Side::Buy, price, 1));
        }
        for (id, price) in [(6, 500), (7, 400), (8, 4_195), (9, 400)] {
            book.insert(order(id, Side::Sell, price, 1));
        }
        assert_eq!(ids(&book, Side::Buy), [4, 2, 5, 1, 3]);
        assert_eq!(ids(&book, Side::Sell), [7, 9, 6, 8]);
        assert_eq!(book.best(Side::Buy), Some(Price(300)));
        assert_eq!(book.best(Side::Sell), Some(Price(400)));
        assert!(!book.is_crossed());
        assert_eq!(book.len(), 9);
    }

    #[test]
    fn removal_from_head_middle_and_tail_keeps_the_queue() {
        let mut book = Book::new(Price(1));
        let slots: Vec<Slot> = (1..=5)
            .map(|id| book.insert(order(id, Side::Sell, 7, 2)))
            .collect();
        book.remove(slots[2]);
        assert_eq!(ids(&book, Side::Sell), [1, 2, 4, 5]);
        book.remove(slots[0]);
        book.remove(slots[4]);
        assert_eq!(ids(&book, Side::Sell), [2, 4]);
        assert_eq!(book.get(book.back(Side::Sell).unwrap()).id, OrderId(4));
        book.remove(slots[1]);
        book.remove(slots[3]);
        assert!(book.is_empty());
        assert_eq!(book.best(Side::Sell), None);
        book.insert(order(6, Side::Buy, 7, 2));
        assert_eq!(book.best(Side::Buy), Some(Price(7)));
        assert_eq!(book.front_at(Side::Sell, Price(7)), None);
    }

    #[test]
    fn the_ends_of_the_band_are_usable() {
        let mut book = Book::new(Price(50));
        book.insert(order(1, Side::Buy, 50, 1));
        book.insert(order(2, Side::Sell, 50 + PRICE_LEVELS as i64 - 1, 1));
        assert!(book.in_band(Price(50)) && !book.in_band(Price(49)));
        assert!(!book.in_band(Price(50 + PRICE_LEVELS as i64)));
        assert_eq!(ids(&book, Side::Buy), [1]);
        assert_eq!(ids(&book, Side::Sell), [2]);
    }
}
