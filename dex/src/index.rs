//! Where an open order is: an open-addressing table from order id to market and slot.
//!
//! The order of its cells is never observed: it has lookups only, no iteration.

use crate::book::Slot;
use crate::types::{MarketId, OrderId};

#[derive(Clone, Copy, Debug)]
struct Cell {
    /// 0 marks an empty cell: ids start at 1.
    id: u64,
    slot: u32,
    market: u16,
}

const EMPTY: Cell = Cell {
    id: 0,
    slot: 0,
    market: 0,
};

/// The table.
#[derive(Clone, Debug)]
pub(crate) struct OrderIndex {
    cells: Vec<Cell>,
    len: usize,
}

impl OrderIndex {
    pub(crate) fn new() -> Self {
        Self {
            cells: vec![EMPTY; 1_024],
            len: 0,
        }
    }

    #[inline]
    fn home(&self, id: u64) -> usize {
        (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.cells.len() - 1)
    }

    #[inline]
    fn find(&self, id: OrderId) -> Option<usize> {
        let mask = self.cells.len() - 1;
        let mut at = self.home(id.0);
        loop {
            match self.cells[at].id {
                0 => return None,
                found if found == id.0 => return Some(at),
                _ => at = (at + 1) & mask,
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: OrderId) -> Option<(MarketId, Slot)> {
        if id.0 == 0 {
            return None;
        }
        self.find(id)
            .map(|at| (MarketId(self.cells[at].market), Slot(self.cells[at].slot)))
    }

    #[inline]
    pub(crate) fn insert(&mut self, id: OrderId, market: MarketId, slot: Slot) {
        debug_assert!(id.0 != 0);
        if (self.len + 1) * 2 > self.cells.len() {
            let bigger = vec![EMPTY; self.cells.len() * 2];
            for cell in std::mem::replace(&mut self.cells, bigger) {
                if cell.id != 0 {
                    self.put(cell);
                }
            }
        }
        self.len += 1;
        self.put(Cell {
            id: id.0,
            slot: slot.0,
            market: market.0,
        });
    }

    #[inline]
    fn put(&mut self, cell: Cell) {
        let mask = self.cells.len() - 1;
        let mut at = self.home(cell.id);
        while self.cells[at].id != 0 {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }

    /// Removes `id`, moving later cells of its run back so that no gap hides them.
    #[inline]
    pub(crate) fn remove(&mut self, id: OrderId) {
        let Some(mut gap) = self.find(id) else { return };
        let mask = self.cells.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell.id == 0 {
                break;
            }
            let home = self.home(cell.id);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.cells[gap] = cell;
                gap = at;
            }
        }
        self.cells[gap] = EMPTY;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_an_ordered_map(ops in prop::collection::vec((1_u64..400, any::<bool>()), 1..2_000)) {
            let mut index = OrderIndex::new();
            let mut model = BTreeMap::new();
            for (n, (id, insert)) in ops.into_iter().enumerate() {
                // Ids that collide: multiples of a large power of two share their low bits.
                let id = OrderId(id << 40 | 1);
                if insert && !model.contains_key(&id) {
                    index.insert(id, MarketId(3), Slot(n as u32));
                    model.insert(id, n as u32);
                } else {
                    index.remove(id);
                    model.remove(&id);
                }
                prop_assert_eq!(index.len, model.len());
            }
            for id in (1..400).map(|id| OrderId(id << 40 | 1)) {
                prop_assert_eq!(index.get(id), model.get(&id).map(|s| (MarketId(3), Slot(*s))));
            }
        }
    }
}
