//! What is done with names: calls, objects, attributes, storages. Each is one of a few fixed cases.

mod numpy;

use super::super::global::{Global, element_of, refusal, whole_network};
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
        let Value::Global(global) = self.pop()? else {
            return Err(confused("something is called that is no name"));
        };
        self.call(global, &arguments)
    }

    fn call(&mut self, global: Global<'a>, arguments: &[Value<'a>]) -> Result<(), ReadError> {
        match (global, arguments) {
            (Global::OrderedDict, []) => self.container(Value::Dict, Vec::new()),
            // Python 2 hands over the entries as a list of pairs.
            (Global::OrderedDict, &[Value::List(list)]) => {
                let items = self.pairs_of(list)?;
                self.container(Value::Dict, items)
            }
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let mut view = self.view(storage, offset, shape, strides)?;
                view.negative = self.is_negative(arguments.get(6));
                self.tensor(view)
            }
            (Global::RebuildTensorV3, &[storage, offset, shape, strides, _, _, kind, ..]) => {
                let mut view = self.view(storage, offset, shape, strides)?;
                let Value::Global(Global::Type(kind)) = kind else {
                    return Err(confused("a tensor has no type"));
                };
                view.element = element_of(kind);
                view.negative = self.is_negative(arguments.get(7));
                self.tensor(view)
            }
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), ..]) => self.push(tensor),
            (Global::RebuildFromType, &[Value::Global(build), class, Value::Tuple(inner), ..])
                if build != Global::RebuildFromType =>
            {
                if let Value::Global(Global::Foreign(place)) = class {
                    self.foreign[place].2 = true;
                }
                let inner = self.heap.items(inner).to_vec();
                self.call(build, &inner)
            }
            (Global::Encode, &[Value::Text(text), Value::Text("latin1" | "latin-1")]) => {
                self.push(Value::Latin(text))
            }
            (Global::NumpyType, &[Value::Text(code), ..]) => self.numpy_type(code),
            (Global::NumpyArray, _) => self.numpy_array(),
            (Global::Inert | Global::Encode | Global::NumpyType, _) => self.push(Value::Inert),
            // A class of dicts that is made empty and filled later
            (Global::Foreign(place), []) => self.dict_of_class(place),
            (Global::Foreign(place), _) => {
                let (module, name, _) = self.foreign[place];
                Err(refusal(module, name))
            }
            _ => Err(confused("a call can't be understood")),
        }
    }

    fn tensor(&mut self, view: View) -> Result<(), ReadError> {
        if self.heap.views.len() >= MAX_OBJECTS {
            return Err(too_much(format!("it has more than {MAX_OBJECTS} tensors")));
        }
        self.heap.views.push(view);
        self.push(Value::Tensor(self.heap.views.len() - 1))
    }

    /// Whether what is said about a tensor has PyTorch's negative bit.
    fn is_negative(&self, about: Option<&Value<'a>>) -> bool {
        let Some(&Value::Dict(about)) = about else { return false };
        self.heap.pairs(about).any(|pair| pair == (Value::Text("neg"), Value::Bool(true)))
    }

    fn dict_of_class(&mut self, place: usize) -> Result<(), ReadError> {
        self.foreign[place].2 = true;
        self.classes.insert(self.heap.containers.len(), place);
        self.container(Value::Dict, Vec::new())
    }

    /// An object of a class, before its attributes are set.
    pub(super) fn new_object(&mut self) -> Result<(), ReadError> {
        self.arguments()?;
        match self.pop()? {
            Value::Global(Global::Inert) => self.push(Value::Inert),
            Value::Global(Global::Foreign(place)) => self.dict_of_class(place),
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
        let element = self.heap.storages.get(storage).map(|storage| storage.element);
        let element = element.ok_or_else(|| confused("a tensor has no storage"))?;
        Ok(View { storage, element, negative: false, offset: size(offset)?, shape, strides })
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
        let state = self.pop()?;
        let value = self.pop()?;
        match value {
            Value::Dict(place) => self.check_state(place, state)?,
            Value::NumpyType(place) => self.set_numpy_type(place, state),
            Value::NumpyArray(place) => self.set_numpy_array(place, state)?,
            Value::Inert | Value::Tensor(_) => {}
            _ => return Err(unsupported("it sets attributes on a value that is no state dict")),
        }
        self.push(value)
    }

    /// Refuses an object that is a network: its layers and parameters are attributes.
    fn check_state(&mut self, place: usize, state: Value<'a>) -> Result<(), ReadError> {
        // Objects get their attributes from the inside out: of those that have none yet the first is the whole.
        let outermost = self.classes.iter().next().map(|(_, &class)| class);
        let (Some(_), Some(class), Value::Dict(state)) = (self.classes.remove(&place), outermost, state)
        else {
            return Ok(());
        };
        let is_layer = |key| matches!(key, Value::Text("_modules" | "_parameters"));
        if !self.heap.pairs(state).any(|(key, _)| is_layer(key)) {
            return Ok(());
        }
        let (module, name, _) = self.foreign[class];
        Err(whole_network(&quoted(&format!("{module}.{name}"))))
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
            [Value::Text("module"), ..] => return Err(whole_network("its classes are saved with it")),
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
