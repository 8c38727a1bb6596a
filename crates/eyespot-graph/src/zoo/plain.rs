//! Networks without convolutions, for plain numbers, features or small pictures.

use crate::Builder;

/// One linear layer, softmax regression's scores.
pub(super) fn linear(b: &mut Builder, classes: usize) {
    let x = b.input();
    let x = b.flatten("flatten", x);
    b.mark_features(x);
    b.linear("linear", x, classes);
}

/// in → in/2 → classes with a ReLU between.
pub(super) fn mlp(b: &mut Builder, classes: usize) {
    let x = b.input();
    let x = b.flatten("flatten", x);
    let hidden = (b.shape(x).elements() / 2).max(1);
    let x = b.linear("fc1", x, hidden);
    let x = b.relu("relu", x);
    b.mark_features(x);
    b.linear("fc2", x, classes);
}
