//! NumPy's arrays inside a pickle: made empty, then given shape, type, order and bytes.

use super::super::super::value::{NumpyArray, NumpyType, Value};
use super::super::{MAX_OBJECTS, Machine};
use crate::ReadError;
use crate::error::too_much;

impl<'a> Machine<'a> {
    pub(super) fn numpy_type(&mut self, code: &'a str) -> Result<(), ReadError> {
        if self.heap.numpy_types.len() >= MAX_OBJECTS {
            return Err(too_much(format!("it has more than {MAX_OBJECTS} types of numbers")));
        }
        self.heap.numpy_types.push(NumpyType { code, big_endian: false });
        self.push(Value::NumpyType(self.heap.numpy_types.len() - 1))
    }

    /// `(version, byte order, …)`
    pub(super) fn set_numpy_type(&mut self, place: usize, state: Value<'a>) {
        let Value::Tuple(state) = state else { return };
        let big_endian = self.heap.items(state).get(1) == Some(&Value::Text(">"));
        if let Some(kind) = self.heap.numpy_types.get_mut(place) {
            kind.big_endian = big_endian;
        }
    }

    pub(super) fn numpy_array(&mut self) -> Result<(), ReadError> {
        if self.heap.numpy_arrays.len() >= MAX_OBJECTS {
            return Err(too_much(format!("it has more than {MAX_OBJECTS} arrays")));
        }
        self.heap.numpy_arrays.push(None);
        self.push(Value::NumpyArray(self.heap.numpy_arrays.len() - 1))
    }

    /// `(version, shape, type, whether columns come first, bytes)`; of an array of objects the last is a list, and the
    /// array stays empty.
    pub(super) fn set_numpy_array(&mut self, place: usize, state: Value<'a>) -> Result<(), ReadError> {
        let Value::Tuple(state) = state else { return Ok(()) };
        let &[_, shape, Value::NumpyType(kind), Value::Bool(fortran), data] = self.heap.items(state) else {
            return Ok(());
        };
        if !matches!(data, Value::Raw(_) | Value::Latin(_)) {
            return Ok(());
        }
        let shape = self.sizes(shape)?;
        if let Some(array) = self.heap.numpy_arrays.get_mut(place) {
            *array = Some(NumpyArray { shape, kind, fortran, data });
        }
        Ok(())
    }
}
