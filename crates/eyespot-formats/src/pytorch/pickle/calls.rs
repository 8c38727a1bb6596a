//! What is done with names: calls, objects, attributes, storages. Each is one of a few fixed cases.

use super::super::global::Global;
use super::super::value::{Storage, Value, View};
use super::{MAX_ARGUMENTS, MAX_OBJECTS, Machine, confused};
use crate::ReadError;
use crate::error::{quoted, too_much, unsupported};
use crate::limits::MAX_AXES;

impl<'a> Machine<'a> {
    fn arguments(&mut self) -> Result<&[Value<'a>], ReadError> {
        match self.pop()? {
            Value::Tuple(place) if self.heap.items(place).len() <= MAX_ARGUMENTS => {
                Ok(self.heap.items(place))
            }
            Value::Tuple(_) => Err(confused("a call has too many arguments")),
            _ => Err(confused("a name is called without arguments")),
        }
    }

    /// "Calls" a name with a tuple of arguments.
    pub(super) fn reduce(&mut self) -> Result<(), ReadError> {
        let arguments = self.arguments()?.to_vec();
        match (self.pop()?, arguments.as_slice()) {
            (Value::Global(Global::OrderedDict), []) => self.container(Value::Dict, Vec::new()),
            // Python 2 hands over the entries as a list of pairs.
            (Value::Global(Global::OrderedDict), &[Value::List(list)]) => {
                let items = self.pairs_of(list)?;
                self.container(Value::Dict, items)
            }
            (Value::Global(Global::RebuildTensor), &[storage, offset, shape, strides, ..]) => {
                let view = self.view(storage, offset, shape, strides)?;
                if self.heap.views.len() >= MAX_OBJECTS {
                    return Err(too_much(format!("it has more than {MAX_OBJECTS} tensors")));
                }
                self.heap.views.push(view);
                self.push(Value::Tensor(self.heap.views.len() - 1))
            }
            (Value::Global(Global::RebuildParameter), &[tensor @ Value::Tensor(_), ..]) => self.push(tensor),
            (Value::Global(Global::Inert), _) => self.push(Value::Inert),
            _ => Err(confused("a call can't be understood")),
        }
    }

    /// An object of a class, before its attributes are set.
    pub(super) fn new_object(&mut self) -> Result<(), ReadError> {
        self.arguments()?;
        match self.pop()? {
            Value::Global(Global::Inert) => self.push(Value::Inert),
            _ => Err(unsupported("it makes an object of a class that holds no plain data")),
        }
    }

    fn pairs_of(&self, list: usize) -> Result<Vec<Value<'a>>, ReadError> {
        let mut items = Vec::new();
        for &pair in self.heap.items(list) {
            let (Value::Tuple(place) | Value::List(place)) = pair else {
                return Err(confused("an entry is no pair"));
            };
            let &[key, value] = self.heap.items(place) else {
                return Err(confused("an entry is no pair"));
            };
            items.extend([key, value]);
        }
        Ok(items)
    }

    fn view(
        &self,
        storage: Value<'a>,
        offset: Value<'a>,
        shape: Value<'a>,
        strides: Value<'a>,
    ) -> Result<View, ReadError> {
        let Value::Storage(storage) = storage else {
            return Err(confused("a tensor has no storage"));
        };
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(confused("a tensor has more axes than strides"));
        }
        Ok(View { storage, offset: size(offset)?, shape, strides })
    }

    fn sizes(&self, tuple: Value<'a>) -> Result<Vec<usize>, ReadError> {
        let Value::Tuple(place) = tuple else {
            return Err(confused("a tensor's shape is no tuple"));
        };
        let items = self.heap.items(place);
        if items.len() > MAX_AXES {
            return Err(too_much(format!("a tensor has {} axes (at most {MAX_AXES})", items.len())));
        }
        items.iter().map(|&item| size(item)).collect()
    }

    /// Sets attributes. A state dict has one, its versions, which nothing here needs.
    pub(super) fn build(&mut self) -> Result<(), ReadError> {
        self.pop()?;
        match self.pop()? {
            value @ (Value::Dict(_) | Value::Inert) => self.push(value),
            _ => Err(unsupported("it sets attributes on a value that is no state dict")),
        }
    }

    /// A storage: `("storage", type, key, device, numbers)`, in the legacy format with a sixth item.
    pub(super) fn storage(&mut self) -> Result<(), ReadError> {
        let Value::Tuple(place) = self.pop()? else {
            return Err(confused("a storage is described in an unknown way"));
        };
        let (kind, key, numbers) = match *self.heap.items(place) {
            [Value::Text("storage"), kind, Value::Text(key), _, numbers]
            | [Value::Text("storage"), kind, Value::Text(key), _, numbers, Value::None] => {
                (kind, key, numbers)
            }
            [Value::Text("module"), ..] => {
                return Err(unsupported(
                    "it holds a whole pickled network, not only its weights; in Python, save the weights with \
                     torch.save(model.state_dict(), PATH)",
                ));
            }
            [Value::Text("storage"), _, _, _, _, _] => {
                return Err(unsupported(
                    "its storages are views of other storages, as PyTorch before 0.4 wrote them; load and save \
                     it again with a newer PyTorch",
                ));
            }
            _ => return Err(confused("a storage is described in an unknown way")),
        };
        let element = match kind {
            Value::Global(Global::Storage(element)) => element,
            Value::Global(Global::ForeignStorage(name)) => {
                return Err(unsupported(format!(
                    "it has numbers of type {}, which eyespot doesn't read; save the weights as float32",
                    quoted(name)
                )));
            }
            _ => return Err(confused("a storage has no type")),
        };
        if self.heap.storages.len() >= MAX_OBJECTS {
            return Err(too_much(format!("it has more than {MAX_OBJECTS} storages")));
        }
        self.heap.storages.push(Storage { key, element, numbers: size(numbers)? });
        self.push(Value::Storage(self.heap.storages.len() - 1))
    }
}

fn size(value: Value<'_>) -> Result<usize, ReadError> {
    match value {
        Value::Int(number) => usize::try_from(number).map_err(|_| confused("a size is negative")),
        _ => Err(confused("a size is no number")),
    }
}
