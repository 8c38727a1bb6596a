//! Who prepares which picture, and which batch is whole.

use super::{Batch, Failure, Noted};
use crate::{DecodeError, Note, Sample};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Samples with their indices, in the order wanted.
pub(super) type Samples = Box<dyn Iterator<Item = Result<(usize, Sample), Failure>> + Send>;

/// A picture to prepare.
pub(super) struct Task {
    pub sample: Sample,
    pub index: usize,
    slot: usize,
    batch: Arc<Mutex<Vec<f32>>>,
    /// Batches before this one, from the start.
    number: usize,
}

/// What has become of a picture.
enum Slot {
    Pending,
    Ready { index: usize, label: usize, path: PathBuf, notes: Vec<Note> },
    Failed(Failure),
}

/// A batch in preparation.
struct Preparing {
    inputs: Arc<Mutex<Vec<f32>>>,
    slots: Vec<Slot>,
    pending: usize,
    /// Every picture has been handed to a thread.
    closed: bool,
}

struct State {
    samples: Option<Samples>,
    batches: VecDeque<Preparing>,
    /// Batches handed out.
    taken: usize,
    stopped: bool,
}

pub(super) struct Queue {
    batch_size: usize,
    tensor_len: usize,
    ahead: usize,
    state: Mutex<State>,
    room: Condvar,
    whole: Condvar,
}

impl Queue {
    /// `ahead`: batches in preparation at a time.
    pub fn new(samples: Samples, batch_size: usize, tensor_len: usize, ahead: usize) -> Queue {
        let state = State { samples: Some(samples), batches: VecDeque::new(), taken: 0, stopped: false };
        Queue {
            batch_size,
            tensor_len,
            ahead,
            state: Mutex::new(state),
            room: Condvar::new(),
            whole: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread can only panic outside the lock's few lines; the state stays whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next picture, or `None` when there are no more. Waits while enough batches are in preparation.
    pub fn claim(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let open = state.batches.back().is_some_and(|batch| !batch.closed);
            if !open && state.batches.len() >= self.ahead {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // A panic of the caller's iterator ends the list; it must not leave the reader waiting.
            let next = state.samples.as_mut()?;
            let next = catch_unwind(AssertUnwindSafe(|| next.next())).unwrap_or(None);
            let Some(next) = next else {
                state.samples = None;
                if let Some(batch) = state.batches.back_mut() {
                    batch.closed = true;
                }
                self.whole.notify_all();
                self.room.notify_all();
                return None;
            };
            if !open {
                state.batches.push_back(Preparing {
                    inputs: Arc::new(Mutex::new(Vec::new())),
                    slots: Vec::new(),
                    pending: 0,
                    closed: false,
                });
            }
            let number = state.taken + state.batches.len() - 1;
            let batch = state.batches.back_mut()?;
            let slot = batch.slots.len();
            batch.closed = slot + 1 == self.batch_size;
            match next {
                Err(failure) => {
                    batch.slots.push(Slot::Failed(failure));
                    if batch.closed && batch.pending == 0 {
                        self.whole.notify_all();
                    }
                }
                Ok((index, sample)) => {
                    batch.slots.push(Slot::Pending);
                    batch.pending += 1;
                    return Some(Task { sample, index, slot, batch: batch.inputs.clone(), number });
                }
            }
        }
    }

    /// Stores what has become of a picture.
    pub fn finish(&self, task: Task, result: Result<Vec<Note>, DecodeError>, tensor: &[f32]) {
        let slot = match result {
            Ok(notes) => {
                let mut inputs = task.batch.lock().unwrap_or_else(PoisonError::into_inner);
                let start = task.slot * self.tensor_len;
                if inputs.len() < start + self.tensor_len {
                    inputs.resize(start + self.tensor_len, 0.0);
                }
                inputs[start..start + self.tensor_len].copy_from_slice(tensor);
                Slot::Ready { index: task.index, label: task.sample.label, path: task.sample.path, notes }
            }
            Err(cause) => Slot::Failed(Failure { path: task.sample.path, cause }),
        };
        let mut state = self.lock();
        let place = task.number - state.taken;
        if let Some(batch) = state.batches.get_mut(place) {
            batch.slots[task.slot] = slot;
            batch.pending -= 1;
            if batch.pending == 0 {
                self.whole.notify_all();
            }
        }
    }

    /// The next batch once it is whole, or `None` after the last.
    pub fn next_batch(&self) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            let ended = state.samples.is_none() || state.stopped;
            match state.batches.front() {
                Some(batch) if batch.closed && batch.pending == 0 => break,
                None if ended => return None,
                _ => state = self.whole.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
        let preparing = state.batches.pop_front()?;
        state.taken += 1;
        self.room.notify_all();
        drop(state);
        let inputs = std::mem::take(&mut *preparing.inputs.lock().unwrap_or_else(PoisonError::into_inner));
        Some(gather(inputs, preparing.slots, self.tensor_len))
    }

    pub fn stop(&self) {
        self.lock().stopped = true;
        self.room.notify_all();
        self.whole.notify_all();
    }
}

/// Closes the gaps that failed pictures left.
fn gather(mut inputs: Vec<f32>, slots: Vec<Slot>, tensor_len: usize) -> Batch {
    let mut batch = Batch::default();
    for (place, slot) in slots.into_iter().enumerate() {
        match slot {
            Slot::Ready { index, label, path, notes } => {
                let to = batch.labels.len();
                if to != place {
                    inputs.copy_within(place * tensor_len..(place + 1) * tensor_len, to * tensor_len);
                }
                batch.labels.push(label);
                batch.indices.push(index);
                batch.notes.extend(notes.into_iter().map(|note| Noted { path: path.clone(), note }));
                batch.paths.push(path);
            }
            Slot::Failed(failure) => batch.failures.push(failure),
            Slot::Pending => {}
        }
    }
    inputs.truncate(batch.labels.len() * tensor_len);
    batch.inputs = inputs;
    batch
}
