//! Work on several cores; where no thread is to be had, the caller does it.

use std::cmp::Reverse;
use std::panic::resume_unwind;
use std::sync::mpsc::{SendError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};

/// Of a thread, in bytes: what a program's first thread has.
pub(crate) const STACK: usize = 8 << 20;

/// So many batches may wait for the thread that maps them: all at once would take much memory.
const WAITING: usize = 2;

/// How many threads work at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What `map` makes of each item, in their order, by as many threads as there are cores. One more thread is
/// worth it for every `worth_a_thread` items: about as many are done by the time it has begun.
pub(crate) fn map<T: Send, R: Send>(
    items: Vec<T>,
    worth_a_thread: usize,
    map: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let others = (cores() - 1).min(items.len() / worth_a_thread);
    if others == 0 {
        return items.into_iter().map(map).collect();
    }
    let at_once = (worth_a_thread / 4).max(1);
    let count = items.len();
    let waiting = Mutex::new(items.into_iter());
    let done = Mutex::new(Vec::new());
    let work = || {
        let take = || {
            let mut waiting = lock(&waiting);
            let left = waiting.len();
            (left, waiting.by_ref().take(at_once).collect())
        };
        let mut part: (usize, Vec<T>) = take();
        while part.0 > 0 {
            let (left, items) = part;
            let mapped: Vec<R> = items.into_iter().map(&map).collect();
            lock(&done).push((left, mapped));
            part = take();
        }
    };
    thread::scope(|scope| {
        let thread = |_| {
            let thread = thread::Builder::new().stack_size(STACK);
            // Without it, the others do its work.
            thread.spawn_scoped(scope, work).ok()
        };
        let threads: Vec<_> = (0..others).filter_map(thread).collect();
        work();
        threads.into_iter().for_each(joined);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(left, _)| Reverse(*left));
    let mut mapped = Vec::with_capacity(count);
    mapped.extend(done.into_iter().flat_map(|(_, part)| part));
    mapped
}

/// The value behind a lock, also where a thread broke off that held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `map` makes of each item that `next` gives, in their order: another thread maps them, in batches of
/// `at_once`, while `next` makes more. The first error of `next` is the end.
pub(crate) fn map_behind<T: Send, R: Send, E>(
    mut next: impl FnMut() -> Result<Option<T>, E>,
    at_once: usize,
    map: impl Fn(T) -> R + Sync,
) -> Result<Vec<R>, E> {
    let mut take = || {
        let mut batch = Vec::new();
        while batch.len() < at_once
            && let Some(item) = next()?
        {
            batch.push(item);
        }
        Ok(batch)
    };
    let mut batch: Vec<T> = take()?;
    if batch.len() < at_once {
        return Ok(batch.into_iter().map(map).collect());
    }
    let (sender, batches) = sync_channel::<Vec<T>>(WAITING);
    let map = &map;
    thread::scope(|scope| {
        let work = move || batches.into_iter().flatten().map(map).collect();
        let thread = thread::Builder::new().spawn_scoped(scope, work);
        let mut here = Vec::new();
        loop {
            let is_last = batch.len() < at_once;
            // There is no thread, then.
            if let Err(SendError(batch)) = sender.send(batch) {
                here.extend(batch.into_iter().map(map));
            }
            if is_last {
                break;
            }
            batch = take()?;
        }
        drop(sender);
        match thread {
            Ok(thread) => Ok(joined(thread)),
            Err(_) => Ok(here),
        }
    })
}

/// What the thread came to; where it broke off, so does this one.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// What both come to, `aside` in a thread of its own.
pub(crate) fn both<A: Send, B>(aside: impl Fn() -> A + Sync, here: impl FnOnce() -> B) -> (A, B) {
    thread::scope(
        |scope| match thread::Builder::new().spawn_scoped(scope, &aside) {
            Ok(thread) => {
                let here = here();
                (joined(thread), here)
            }
            Err(_) => (aside(), here()),
        },
    )
}

/// Frees what takes long to free, such as all that is known of many environments: nobody waits for that.
pub(crate) fn free<T: Send + 'static>(done_with: T) {
    let _ = thread::Builder::new().spawn(move || drop(done_with));
}

#[cfg(test)]
mod tests {
    use super::{both, map, map_behind};

    #[test]
    fn items_keep_their_order() {
        for count in [0, 1, 7, 8, 9, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            for worth_a_thread in [1, 8, 2_000] {
                assert_eq!(map(items.clone(), worth_a_thread, |item| item * 2), doubled);
            }
        }
    }

    #[test]
    fn items_are_mapped_behind_until_the_first_error() {
        for at_once in [1, 3, 8, 100] {
            let up_to = |end: usize| {
                let mut items = 0..8;
                let next = move || match items.next() {
                    Some(item) if item == end => Err(item),
                    item => Ok(item),
                };
                map_behind(next, at_once, |item| item * 2)
            };
            assert_eq!(up_to(9), Ok(vec![0, 2, 4, 6, 8, 10, 12, 14]));
            assert_eq!(up_to(5), Err(5));
        }
    }

    #[test]
    fn both_are_at_work_at_once() {
        let (sender, receiver) = std::sync::mpsc::sync_channel(0);
        let (sent, received) = both(|| sender.send(1), || receiver.recv());
        assert_eq!((sent, received), (Ok(()), Ok(1)));
    }

    #[test]
    #[should_panic(expected = "item 7")]
    fn a_panic_over_an_item_is_a_panic_here() {
        let mut items = 0..100;
        let next = || Ok::<_, ()>(items.next());
        let _ = map_behind(next, 2, |item| assert_ne!(item, 7, "item {item}"));
    }

    #[test]
    #[should_panic(expected = "aside")]
    fn a_panic_aside_is_a_panic_here() {
        both(|| panic!("aside"), || ());
    }
}
