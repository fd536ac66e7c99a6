//! Entries of one kind, bounded in number, each with the mark that tells whether it is still true.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::RwLock;
use stoa_domain::time::Ts;

use crate::changes::{Changes, Dependency, Mark};

/// What can be kept.
pub(crate) trait Entry {
    /// What it depends on.
    fn dependencies(&self) -> Vec<Dependency>;

    /// How much memory it takes, in units of about a hundred bytes.
    fn weight(&self) -> usize {
        1
    }

    /// Whether its time is over.
    fn is_over(&self, _now: Ts) -> bool {
        false
    }
}

struct Kept<V> {
    entry: Arc<V>,
    mark: Mark,
    dependencies: Vec<Dependency>,
    weight: usize,
    /// When it was last asked for, by the cache's own count; the least recent go first.
    asked: AtomicU64,
}

struct Entries<K, V> {
    map: HashMap<K, Kept<V>>,
    weight: usize,
}

/// Entries of one kind.
pub(crate) struct Cache<K, V> {
    entries: RwLock<Entries<K, V>>,
    most: usize,
    asked: AtomicU64,
}

impl<K: Eq + Hash + Clone, V: Entry> Cache<K, V> {
    /// An empty cache for entries of so much weight together.
    pub(crate) fn new(most: usize) -> Self {
        Self { entries: RwLock::new(Entries { map: HashMap::new(), weight: 0 }), most, asked: AtomicU64::new(0) }
    }

    /// The entry, if it is there and still true.
    pub(crate) fn get(&self, key: &K, changes: &Changes) -> Option<Arc<V>> {
        let entries = self.entries.read();
        let kept = entries.map.get(key)?;
        if !changes.none_since(kept.mark, &kept.dependencies) {
            return None;
        }
        kept.asked.store(self.asked.load(Ordering::Relaxed), Ordering::Relaxed);
        Some(Arc::clone(&kept.entry))
    }

    /// Keeps an entry that was read after `mark` was taken; unless it changed meanwhile.
    pub(crate) fn put(&self, key: K, entry: &Arc<V>, mark: Mark, changes: &Changes, now: Ts) {
        let dependencies = entry.dependencies();
        let weight = entry.weight();
        // What outweighs everything else together is better read anew each time.
        if weight > self.most / 2 || entry.is_over(now) || !changes.none_since(mark, &dependencies) {
            return;
        }
        let asked = AtomicU64::new(self.asked.fetch_add(1, Ordering::Relaxed) + 1);
        let mut entries = self.entries.write();
        let kept = Kept { entry: Arc::clone(entry), mark, dependencies, weight, asked };
        entries.weight += weight;
        if let Some(before) = entries.map.insert(key, kept) {
            entries.weight -= before.weight;
        }
        if entries.weight > self.most {
            entries.make_room(self.most, changes, now);
        }
    }

    /// How many entries there are, true or not.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.read().map.len()
    }
}

impl<K: Eq + Hash + Clone, V: Entry> Entries<K, V> {
    /// Drops what is over or out of date, and if that is not enough, what was not asked for longest, down to three
    /// quarters, so that it happens seldom.
    fn make_room(&mut self, most: usize, changes: &Changes, now: Ts) {
        self.map.retain(|_, kept| !kept.entry.is_over(now) && changes.none_since(kept.mark, &kept.dependencies));
        self.weight = self.map.values().map(|kept| kept.weight).sum();
        let target = most / 4 * 3;
        if self.weight <= target {
            return;
        }
        let mut by_use: Vec<_> = self.map.iter().map(|(key, kept)| (kept.asked.load(Ordering::Relaxed), key.clone())).collect();
        by_use.sort_unstable_by_key(|(asked, _)| *asked);
        for (_, key) in by_use {
            if self.weight <= target {
                break;
            }
            if let Some(kept) = self.map.remove(&key) {
                self.weight -= kept.weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Number(usize);

    impl Entry for Number {
        fn dependencies(&self) -> Vec<Dependency> {
            Vec::new()
        }

        fn weight(&self) -> usize {
            self.0
        }

        fn is_over(&self, now: Ts) -> bool {
            now > Ts::from_micros(10)
        }
    }

    const NOW: Ts = Ts::from_micros(5);

    fn filled(changes: &Changes) -> Cache<usize, Number> {
        let cache = Cache::new(100);
        for key in 0..100 {
            cache.put(key, &Arc::new(Number(1)), changes.mark(), changes, NOW);
        }
        cache
    }

    #[test]
    fn there_is_a_limit_and_what_was_not_asked_for_longest_goes_first() {
        let changes = Changes::default();
        let cache = filled(&changes);
        assert!(cache.get(&0, &changes).is_some());
        cache.put(100, &Arc::new(Number(1)), changes.mark(), &changes, NOW);
        assert_eq!(cache.len(), 75);
        assert!(cache.get(&0, &changes).is_some() && cache.get(&100, &changes).is_some());
        assert!(cache.get(&1, &changes).is_none());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_believed_whether_it_came_before_or_after() {
        let changes = Changes::default();
        let cache = filled(&changes);
        let read = changes.mark();
        changes.note_all();
        assert!(cache.get(&0, &changes).is_none());
        cache.put(0, &Arc::new(Number(1)), read, &changes, NOW);
        assert!(cache.get(&0, &changes).is_none(), "a reader that was overtaken brings nothing back");
        cache.put(0, &Arc::new(Number(1)), changes.mark(), &changes, NOW);
        assert!(cache.get(&0, &changes).is_some());
    }

    #[test]
    fn what_is_over_goes_before_anything_else_and_what_is_too_heavy_never_comes() {
        let changes = Changes::default();
        let cache = filled(&changes);
        let late = Ts::from_micros(11);
        cache.put(100, &Arc::new(Number(1)), changes.mark(), &changes, late);
        assert_eq!(cache.len(), 100, "what is over is not kept at all");
        cache.put(101, &Arc::new(Number(51)), changes.mark(), &changes, NOW);
        assert!(cache.get(&101, &changes).is_none());
        cache.put(102, &Arc::new(Number(50)), changes.mark(), &changes, NOW);
        assert!(cache.get(&102, &changes).is_some());
        assert!(cache.len() <= 26, "{}", cache.len());
    }
}
