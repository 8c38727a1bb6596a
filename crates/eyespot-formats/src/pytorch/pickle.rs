//! An interpreter for the part of Python's pickle language that state dicts are written in.
//!
//! The instructions are described in Python's `pickletools` module. The interpreter only builds data: a name that
//! is not in [`global`](super::global) stops it, and "calling" an allowed name is one of a few fixed cases.

mod calls;

use super::global::{self, Global};
use super::value::{Heap, Value};
use crate::ReadError;
use crate::bytes::{array, slice};
use crate::error::{damaged, too_much, unsupported};
use crate::limits::MAX_ENTRIES;
use std::collections::{BTreeMap, HashMap};

/// Instructions of one pickle. A tensor takes about forty, so this is room for 100,000 tensors.
const MAX_STEPS: usize = 4_000_000;
/// Containers, tensors and remembered values, each.
const MAX_OBJECTS: usize = 1 << 18;
/// Items of all containers together.
const MAX_ITEMS: usize = MAX_STEPS / 2;
/// Arguments of a call; the longest real one has seven.
const MAX_ARGUMENTS: usize = 16;
/// Values on the stack. Python writes containers in batches of 1,000.
const MAX_STACK: usize = 1 << 18;
/// Containers that are open at once.
const MAX_DEPTH: usize = 200;
/// Different names that mean nothing here.
const MAX_FOREIGN: usize = 1000;

/// One pickle, interpreted.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    /// What was saved.
    pub root: Value<'a>,
    pub heap: Heap<'a>,
    /// How many bytes the pickle took.
    pub length: usize,
}

/// Interprets the pickle at the beginning of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle<'_>, ReadError> {
    let mut machine = Machine { bytes, ..Machine::default() };
    for _ in 0..MAX_STEPS {
        match machine.step() {
            Ok(None) => {}
            // A name that means nothing explains more than what came of it.
            result => {
                machine.check_foreign()?;
                let Some(root) = result? else { continue };
                return Ok(Pickle { root, heap: machine.heap, length: machine.position });
            }
        }
    }
    Err(too_much(format!("its description of the weights has more than {MAX_STEPS} steps")))
}

#[derive(Debug, Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    heap: Heap<'a>,
    stack: Vec<Value<'a>>,
    /// Where on the stack each open container begins.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    /// Items of all containers so far.
    items: usize,
    /// Names that mean nothing here: module, name, and whether they only said a class.
    foreign: Vec<(&'a str, &'a str, bool)>,
    /// The classes of dicts that aren't plain ones, by their places, until they have their attributes.
    classes: BTreeMap<usize, usize>,
}

type Step<'a> = Result<Option<Value<'a>>, ReadError>;

impl<'a> Machine<'a> {
    /// Does one instruction; gives the result after the last.
    fn step(&mut self) -> Step<'a> {
        let [instruction] = self.take()?;
        match instruction {
            // What the pickle is
            0x80 => self.protocol()?,
            0x95 => self.skip_frame_length()?,
            b'.' => return self.pop().map(Some),
            // Plain values
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'K' => self.number(|[b]: [u8; 1]| i64::from(b))?,
            b'M' => self.number(|b| i64::from(u16::from_le_bytes(b)))?,
            b'J' => self.number(|b| i64::from(i32::from_le_bytes(b)))?,
            0x8a => self.long_integer()?,
            b'G' => {
                self.take::<8>()?;
                self.push(Value::Other)?;
            }
            // Text and bytes; T and U are Python 2's
            0x8c | b'U' => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.raw_bytes(1)?,
            b'B' => self.raw_bytes(4)?,
            0x8e | 0x96 => self.raw_bytes(8)?,
            // Containers
            b'(' => self.mark()?,
            b')' => self.container(Value::Tuple, Vec::new())?,
            b']' => self.container(Value::List, Vec::new())?,
            b'}' => self.container(Value::Dict, Vec::new())?,
            0x85..=0x87 => self.short_tuple(usize::from(instruction - 0x84))?,
            b't' => self.marked_container(Value::Tuple)?,
            b'l' => self.marked_container(Value::List)?,
            b'd' => self.marked_container(Value::Dict)?,
            b'a' => self.extend_one(1)?,
            b's' => self.extend_one(2)?,
            b'e' | b'u' => self.extend_marked()?,
            // Sets: no weights are in one
            0x8f => self.push(Value::Inert)?,
            0x90 => self.extend_marked()?,
            0x91 => {
                self.marked()?;
                self.push(Value::Inert)?;
            }
            // Values used again
            b'q' => self.remember_at(1)?,
            b'r' => self.remember_at(4)?,
            0x94 => self.remember(self.memo.len())?,
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b'0' => drop(self.pop()?),
            // Names, and what is done with them
            b'c' => self.global()?,
            0x93 => self.global_from_stack()?,
            b'R' => self.reduce()?,
            0x81 => self.new_object()?,
            b'b' => self.build()?,
            b'Q' => self.storage()?,
            other => {
                return Err(unsupported(format!(
                    "its description of the weights uses the pickle instruction 0x{other:02x} (at byte {}), which \
                     no weights need; in Python, save the weights alone with torch.save(model.state_dict(), PATH)",
                    self.position - 1
                )));
            }
        }
        Ok(None)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let bytes = array(self.bytes, self.position)?;
        self.position += N;
        Ok(bytes)
    }

    /// An unsigned number of 1, 4 or 8 bytes.
    fn unsigned(&mut self, size: usize) -> Result<usize, ReadError> {
        let bytes = slice(self.bytes, self.position, size)?;
        self.position += size;
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(bytes);
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| damaged("it ends too early"))
    }

    /// As many bytes as a length of `size` bytes says.
    fn counted(&mut self, size: usize) -> Result<&'a [u8], ReadError> {
        let length = self.unsigned(size)?;
        let bytes = slice(self.bytes, self.position, length)?;
        self.position += length;
        Ok(bytes)
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), ReadError> {
        if self.stack.len() >= MAX_STACK {
            return Err(too_much(format!("it puts more than {MAX_STACK} values into one container")));
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>, ReadError> {
        // Values below the last mark belong to a container that is still open.
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(confused("a value is missing"));
        }
        self.stack.pop().ok_or_else(|| confused("a value is missing"))
    }

    fn protocol(&mut self) -> Result<(), ReadError> {
        match self.take()? {
            [0..=5] => Ok(()),
            [other] => {
                Err(unsupported(format!("it is written in version {other} of pickle, which is unknown")))
            }
        }
    }

    /// Frames only help readers that read piece by piece.
    fn skip_frame_length(&mut self) -> Result<(), ReadError> {
        self.take::<8>().map(drop)
    }

    fn number<const N: usize>(&mut self, number: impl Fn([u8; N]) -> i64) -> Result<(), ReadError> {
        let value = number(self.take()?);
        self.push(Value::Int(value))
    }

    fn long_integer(&mut self) -> Result<(), ReadError> {
        let bytes = self.counted(1)?;
        if bytes.len() > 8 {
            return self.push(Value::BigInt(bytes));
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn text(&mut self, size: usize) -> Result<(), ReadError> {
        let bytes = self.counted(size)?;
        // Python 2's strings may be raw bytes; no name is.
        let value = std::str::from_utf8(bytes).map_or(Value::Other, Value::Text);
        self.push(value)
    }

    fn raw_bytes(&mut self, size: usize) -> Result<(), ReadError> {
        let bytes = self.counted(size)?;
        self.push(Value::Raw(bytes))
    }

    fn mark(&mut self) -> Result<(), ReadError> {
        if self.marks.len() >= MAX_DEPTH {
            return Err(too_much(format!("its values are nested more than {MAX_DEPTH} deep")));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The values since the last mark.
    fn marked(&mut self) -> Result<Vec<Value<'a>>, ReadError> {
        let mark = self.marks.pop().ok_or_else(|| confused("a container has no beginning"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn container(&mut self, kind: fn(usize) -> Value<'a>, items: Vec<Value<'a>>) -> Result<(), ReadError> {
        let place = self.heap.containers.len();
        if place >= MAX_OBJECTS {
            return Err(too_much(format!("it has more than {MAX_OBJECTS} containers")));
        }
        self.heap.containers.push(Vec::new());
        self.extend(place, matches!(kind(place), Value::Dict(_)), &items)?;
        self.push(kind(place))
    }

    fn marked_container(&mut self, kind: fn(usize) -> Value<'a>) -> Result<(), ReadError> {
        let items = self.marked()?;
        self.container(kind, items)
    }

    fn short_tuple(&mut self, length: usize) -> Result<(), ReadError> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.container(Value::Tuple, items)
    }

    fn extend(&mut self, place: usize, is_dict: bool, items: &[Value<'a>]) -> Result<(), ReadError> {
        let per_entry = if is_dict { 2 } else { 1 };
        if !items.len().is_multiple_of(per_entry) {
            return Err(confused("a key has no value"));
        }
        let container = &mut self.heap.containers[place];
        if container.len() + items.len() > MAX_ENTRIES * per_entry {
            return Err(too_much(format!("it has a container with more than {MAX_ENTRIES} entries")));
        }
        self.items += items.len();
        if self.items > MAX_ITEMS {
            return Err(too_much(format!("its containers have more than {MAX_ITEMS} items together")));
        }
        container.extend_from_slice(items);
        Ok(())
    }

    /// Puts items into the list or dict on top of the stack.
    fn extend_top(&mut self, items: &[Value<'a>]) -> Result<(), ReadError> {
        let top = self.pop()?;
        match top {
            Value::List(place) => self.extend(place, false, items)?,
            Value::Dict(place) => self.extend(place, true, items)?,
            Value::Inert => {}
            _ => return Err(confused("something is put into a value that is no container")),
        }
        self.push(top)
    }

    fn extend_one(&mut self, values: usize) -> Result<(), ReadError> {
        let mut items = Vec::with_capacity(values);
        for _ in 0..values {
            items.push(self.pop()?);
        }
        items.reverse();
        self.extend_top(&items)
    }

    fn extend_marked(&mut self) -> Result<(), ReadError> {
        let items = self.marked()?;
        self.extend_top(&items)
    }

    fn remember_at(&mut self, size: usize) -> Result<(), ReadError> {
        let place = self.unsigned(size)?;
        self.remember(place)
    }

    fn remember(&mut self, place: usize) -> Result<(), ReadError> {
        let value = self.pop()?;
        self.push(value)?;
        if self.memo.len() >= MAX_OBJECTS {
            return Err(too_much(format!("it remembers more than {MAX_OBJECTS} values")));
        }
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, size: usize) -> Result<(), ReadError> {
        let place = self.unsigned(size)?;
        let value = self.memo.get(&place).copied();
        self.push(value.ok_or_else(|| confused("it uses a value that was never made"))?)
    }

    fn global(&mut self) -> Result<(), ReadError> {
        let module = self.line()?;
        let name = self.line()?;
        self.named(module, name)
    }

    fn named(&mut self, module: &'a str, name: &'a str) -> Result<(), ReadError> {
        let global = match global::find(module, name) {
            Some(global) => global,
            None => Global::Foreign(self.foreign_place(module, name)?),
        };
        self.push(Value::Global(global))
    }

    fn foreign_place(&mut self, module: &'a str, name: &'a str) -> Result<usize, ReadError> {
        if let Some(place) = self.foreign.iter().position(|&(m, n, _)| (m, n) == (module, name)) {
            return Ok(place);
        }
        if self.foreign.len() >= MAX_FOREIGN {
            return Err(too_much(format!("it mentions more than {MAX_FOREIGN} classes")));
        }
        self.foreign.push((module, name, false));
        Ok(self.foreign.len() - 1)
    }

    /// Refuses the first name that was more than a class.
    fn check_foreign(&self) -> Result<(), ReadError> {
        match self.foreign.iter().find(|(_, _, class)| !class) {
            Some((module, name, _)) => Err(global::refusal(module, name)),
            None => Ok(()),
        }
    }

    fn line(&mut self) -> Result<&'a str, ReadError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest.iter().take(1000).position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| confused("a name has no end"))?;
        self.position += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| confused("a name is no text"))
    }

    fn global_from_stack(&mut self) -> Result<(), ReadError> {
        let name = self.pop()?;
        let module = self.pop()?;
        match (module, name) {
            (Value::Text(module), Value::Text(name)) => self.named(module, name),
            _ => Err(confused("a name is no text")),
        }
    }
}

fn confused(reason: &str) -> ReadError {
    damaged(format!("its description of the weights makes no sense ({reason})"))
}
