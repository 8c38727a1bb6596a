//! Between which numbers every setting lies: for flags, settings files and the library alike.

use std::fmt;

/// The least and the greatest value of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bounds {
    /// A whole number.
    Whole(u64, u64),
    /// A number.
    Number(f64, f64),
}

impl Bounds {
    /// The bounds of a setting by its key; `None` for one that is no number.
    ///
    /// ```
    /// let views = eyespot::Bounds::of("views").expect("is a number");
    /// assert_eq!(views.to_string(), "a whole number from 1 to 1000");
    /// ```
    pub fn of(key: &str) -> Option<Self> {
        use Bounds::{Number, Whole};
        Some(match key {
            "epochs" | "patience" | "every" => Whole(1, 1_000_000_000),
            "batch-size" => Whole(1, 1_000_000),
            "views" => Whole(1, 1000),
            "val" | "test" => Number(0.0, 0.9),
            "folds" => Whole(2, 100),
            // As the transform has it.
            "resize" | "crop" => Whole(1, 16_384),
            // TOML knows no greater whole number.
            "seed" => Whole(0, i64::MAX as u64),
            "threads" => Whole(0, 1024),
            "lr" => Number(1e-12, 1e9),
            "momentum" => Number(0.0, 0.9999),
            "weight-decay" => Number(0.0, 1000.0),
            "tune" => Number(0.01, 100_000.0),
            "trials" => Whole(1, 1000),
            "layer-decay" => Number(0.01, 1.0),
            "warmup" => Number(0.0, 1e9),
            "label-smoothing" => Number(0.0, 0.99),
            "clip" => Number(1e-9, 1e9),
            "ema" => Number(0.0, 0.999_999),
            "mean" => Number(0.0, 1.0),
            "std" => Number(1e-6, 1e6),
            _ => return None,
        })
    }

    /// Whether a number lies in them.
    pub fn contains(self, number: f64) -> bool {
        match self {
            Self::Whole(least, most) => {
                (least as f64..=most as f64).contains(&number) && number.fract() == 0.0
            }
            Self::Number(least, most) => {
                // The bounds themselves, also where the setting is an f32.
                let is = |bound: f64| number as f32 == bound as f32;
                (least..=most).contains(&number) || is(least) || is(most)
            }
        }
    }

    /// What is wrong with a setting's value; other kinds of values, such as words, are left to whoever reads them.
    fn check(self, value: &toml::Value) -> Result<(), String> {
        let holds = match (self, value) {
            (_, toml::Value::Array(values)) => return values.iter().try_for_each(|value| self.check(value)),
            (Self::Whole(least, most), &toml::Value::Integer(n)) => {
                u64::try_from(n).is_ok_and(|n| (least..=most).contains(&n))
            }
            (Self::Whole(..), toml::Value::Float(_)) => false,
            (Self::Number(..), &toml::Value::Integer(n)) => self.contains(n as f64),
            (Self::Number(..), &toml::Value::Float(x)) => self.contains(x),
            _ => true,
        };
        if holds { Ok(()) } else { Err(format!("it is {self}, not {value}")) }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Number(least, most) => write!(f, "a number from {least:?} to {most:?}"),
        }
    }
}

/// The first setting that is out of its bounds, and what is wrong with it.
pub(crate) fn check(settings: &toml::Table) -> Result<(), (&str, String)> {
    for (key, value) in settings {
        if let Some(bounds) = Bounds::of(key) {
            bounds.check(value).map_err(|wrong| (key.as_str(), wrong))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainingOptions;

    #[test]
    fn the_bounds_belong_to_them_and_nothing_beyond() {
        let numbers = TrainingOptions::KEYS.iter().filter_map(|key| Bounds::of(key));
        let mut seen = 0;
        for bounds in numbers {
            let (least, most) = match bounds {
                Bounds::Whole(least, most) => (least as f64, most as f64),
                Bounds::Number(least, most) => (least, most),
            };
            assert!(bounds.contains(least) && bounds.contains(most), "{bounds}");
            assert!(!bounds.contains(least - 1.0) && !bounds.contains(most * 2.0), "{bounds}");
            assert!(!bounds.contains(f64::NAN) && !bounds.contains(f64::INFINITY), "{bounds}");
            if let Bounds::Number(..) = bounds {
                let single = |x: f64| f64::from(x as f32);
                assert!(bounds.contains(single(least)) && bounds.contains(single(most)), "{bounds}");
            }
            seen += 1;
        }
        assert_eq!(seen, 24);
    }
}
