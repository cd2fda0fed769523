//! Entries under small numbers.

/// Stable indices for things that come and go.
#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn insert(&mut self, value: T) -> usize {
        match self.free.pop() {
            Some(index) => {
                self.entries[index] = Some(value);
                index
            }
            None => {
                self.entries.push(Some(value));
                self.entries.len() - 1
            }
        }
    }

    pub(super) fn get(&self, index: usize) -> &T {
        self.entries[index]
            .as_ref()
            .expect("an index is dropped with its entry")
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut T {
        self.entries[index]
            .as_mut()
            .expect("an index is dropped with its entry")
    }

    pub(super) fn remove(&mut self, index: usize) -> T {
        let value = self.entries[index]
            .take()
            .expect("an index is dropped with its entry");
        self.free.push(index);
        value
    }
}
