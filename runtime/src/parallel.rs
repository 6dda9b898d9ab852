//! Work on several processors at once.
//!
//! Owns who does what and in which order results come. Must not know what the
//! work is.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` to each item, up to `most` at a time and never more than there are
/// processors. Results are in the items' order.
///
/// # Errors
///
/// The error of the first item, in that order, that has one: items are begun in order,
/// so it is the same however many processors there are. After an error nothing is begun.
pub(crate) fn each<I: Send, T: Send, E: Send>(
    items: Vec<I>,
    most: usize,
    work: impl Fn(I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let workers = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(most)
        .min(items.len());
    with_workers(items, workers, work)
}

fn with_workers<I: Send, T: Send, E: Send>(
    items: Vec<I>,
    workers: usize,
    work: impl Fn(I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let waiting: Mutex<VecDeque<(usize, I)>> = Mutex::new(items.into_iter().enumerate().collect());
    let waiting = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let Some((index, item)) = waiting().pop_front() else {
                return done;
            };
            let result = work(item);
            if result.is_err() {
                waiting().clear();
            }
            done.push((index, result));
        }
    };
    let mut done = thread::scope(|scope| {
        // Where there is no thread to be had, there is one less.
        let threads: Vec<_> = (1..workers)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, worker).ok())
            .collect();
        let mut done = worker();
        for thread in threads {
            match thread.join() {
                Ok(more) => done.extend(more),
                Err(panic) => panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::with_workers;

    #[test]
    fn results_are_in_the_items_order() {
        for workers in [0, 1, 2, 7] {
            let results = with_workers((0..100).collect(), workers, |item: u32| {
                Ok::<_, ()>(item * 2)
            });
            assert_eq!(
                results.unwrap(),
                (0..100).map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn workers_work_at_once() {
        let both = Barrier::new(2);
        let results = with_workers(vec![(), ()], 2, |()| {
            both.wait();
            Ok::<_, ()>(())
        });
        assert_eq!(results.unwrap().len(), 2);
    }

    #[test]
    fn the_first_error_in_order_is_told() {
        // Both are begun before either fails.
        let both = Barrier::new(2);
        for _ in 0..100 {
            let result = with_workers(vec![0, 1, 2], 2, |item| {
                both.wait();
                Err::<(), _>(item)
            });
            assert_eq!(result, Err(0));
        }
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let begun = AtomicUsize::new(0);
        let result = with_workers((0..100).collect(), 1, |item: u32| {
            begun.fetch_add(1, Ordering::Relaxed);
            if item == 3 { Err(item) } else { Ok(()) }
        });
        assert_eq!(result, Err(3));
        assert_eq!(begun.into_inner(), 4);
    }

    #[test]
    fn no_items_are_fine() {
        assert_eq!(
            with_workers(Vec::<()>::new(), 4, |()| Ok::<_, ()>(())),
            Ok(Vec::new())
        );
    }
}
