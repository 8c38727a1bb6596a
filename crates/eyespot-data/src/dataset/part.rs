//! Training, validation and test part, and how people call them.

/// Which part of the data set an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Train,
    Val,
    Test,
}

impl Part {
    /// The part that a folder, or a cell of a table, is named after: whatever the case, and with or without `set` behind
    /// (`Training`, `test_set`).
    pub fn named(name: &str) -> Option<Part> {
        let name = name.to_lowercase();
        let name = name.strip_suffix("set").unwrap_or(&name).trim_end_matches(['_', '-', ' ']);
        match name {
            "train" | "training" | "trn" => Some(Part::Train),
            "val" | "valid" | "validation" | "dev" | "eval" | "evaluation" => Some(Part::Val),
            "test" | "testing" | "tst" => Some(Part::Test),
            _ => None,
        }
    }

    /// The part that one word of a longer name stands for, such as `seg_train`.
    pub fn within(name: &str) -> Option<Part> {
        name.split(['_', '-', '.', ' ']).find_map(Part::named)
    }

    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_known_by_their_usual_names_in_any_case() {
        for (part, names) in [
            (
                Part::Train,
                "train Train TRAIN training Training train_set training_set Training-Set trainset trn",
            ),
            (Part::Val, "val Val valid validation Validation dev Dev val_set dev_set eval Evaluation"),
            (Part::Test, "test Test TESTING testing test_set testset tst"),
        ] {
            for name in names.split(' ') {
                assert_eq!(Part::named(name), Some(part), "{name}");
            }
        }
        for name in ["trains", "tested", "set", "", "devil", "evaluate", "car", "test1", "train2017"] {
            assert_eq!(Part::named(name), None, "{name}");
        }
    }
}
