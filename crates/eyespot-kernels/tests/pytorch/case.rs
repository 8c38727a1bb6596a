//! One case of `ops.json`: settings, inputs by formula, and samples of the expected outputs.

use serde_json::Value;

/// Results by name, in PyTorch's order.
pub type Outputs = Vec<(String, Vec<f32>)>;

pub struct Case {
    pub name: String,
    value: Value,
}

/// All cases of an operator.
pub fn read(op: &str) -> Vec<Case> {
    let all: Value = serde_json::from_str(include_str!("../data/ops.json")).unwrap();
    let cases = all.as_array().unwrap().iter().filter(|case| case["op"] == op);
    cases.map(|case| Case { name: case["name"].as_str().unwrap().to_owned(), value: case.clone() }).collect()
}

impl Case {
    pub fn op(&self) -> &str {
        self.value["op"].as_str().unwrap()
    }

    pub fn text(&self, key: &str) -> &str {
        self.value[key].as_str().unwrap()
    }

    /// A number, or nothing where the case does not set it.
    pub fn number(&self, key: &str) -> Option<f32> {
        self.value[key].as_f64().map(|x| x as f32)
    }

    pub fn size(&self, key: &str) -> usize {
        self.value[key].as_u64().unwrap() as usize
    }

    pub fn flag(&self, key: &str) -> bool {
        self.value[key].as_bool().unwrap_or(false)
    }

    /// Two numbers.
    pub fn pair(&self, key: &str) -> (usize, usize) {
        (self.value[key][0].as_u64().unwrap() as usize, self.value[key][1].as_u64().unwrap() as usize)
    }

    /// Adam's betas, where the case sets them.
    pub fn betas(&self) -> Option<(f32, f32)> {
        let beta = |i: usize| self.value["betas"][i].as_f64().map(|x| x as f32);
        Some((beta(0)?, beta(1)?))
    }

    pub fn input_shape(&self, input: &str) -> Vec<usize> {
        sizes(&self.value["inputs"][input])
    }

    pub fn output_shape(&self) -> Vec<usize> {
        sizes(&self.value["output"])
    }

    /// An input in PyTorch's order.
    pub fn input(&self, input: &str) -> Vec<f32> {
        self.numbers(input, self.input_shape(input).iter().product())
    }

    /// The gradient at the result, in PyTorch's order.
    pub fn dy(&self) -> Vec<f32> {
        self.numbers("dy", self.output_shape().iter().product())
    }

    /// `count` numbers in [−1, 1) by `seeded.py`'s formula.
    pub fn numbers(&self, input: &str, count: usize) -> Vec<f32> {
        let name = format!("{}/{input}", self.name);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let number = |index: u64| {
            let z = hash.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let z = z ^ (z >> 31);
            ((z >> 40) as f64 / f64::from(1 << 23) - 1.0) as f32
        };
        (0..count as u64).map(number).collect()
    }

    /// Compares results with the samples: each sampled number, the sum, and the sum with alternating weights.
    pub fn check(&self, outputs: &Outputs) {
        let expected = self.value["outputs"].as_object().unwrap();
        for name in expected.keys() {
            assert!(outputs.iter().any(|(found, _)| found == name), "{}: {name} isn't computed", self.name);
        }
        for (name, found) in outputs {
            let expected = &expected[name];
            let what = format!("{} {name}", self.name);
            assert_eq!(found.len(), expected["count"].as_u64().unwrap() as usize, "{what}: length");
            let size = found.iter().fold(0.0f64, |size, x| size.max(f64::from(x.abs())));
            let step = expected["step"].as_u64().unwrap() as usize;
            for (index, value) in expected["values"].as_array().unwrap().iter().enumerate() {
                let (found, value) = (f64::from(found[index * step]), value.as_f64().unwrap());
                let tolerance = 1e-5 * size + 1e-7;
                assert!((found - value).abs() < tolerance, "{what}[{}]: {found}, not {value}", index * step);
            }
            let weighted = |weight: fn(usize) -> f64| -> (f64, f64) {
                let terms = found.iter().enumerate().map(|(i, &x)| weight(i) * f64::from(x));
                terms.fold((0.0, 1e-6), |(sum, size), x| (sum + x, size + x.abs()))
            };
            let weights = [("sum", weighted(|_| 1.0)), ("weighted_sum", weighted(|i| (i % 7) as f64 - 3.0))];
            for (key, (sum, size)) in weights {
                let value = expected[key].as_f64().unwrap();
                assert!((sum - value).abs() < 1e-5 * size, "{what}: {key} {sum}, not {value}");
            }
        }
    }
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

/// A map from PyTorch's order (NCHW) to NHWC.
pub fn to_nhwc(shape: &[usize], x: &[f32]) -> Vec<f32> {
    turn(shape[0], shape[1], shape[2] * shape[3], x)
}

/// And back; `shape` is PyTorch's.
pub fn to_nchw(shape: &[usize], x: &[f32]) -> Vec<f32> {
    turn(shape[0], shape[2] * shape[3], shape[1], x)
}

fn turn(images: usize, rows: usize, columns: usize, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    for n in 0..images {
        for r in 0..rows {
            for c in 0..columns {
                y[(n * columns + c) * rows + r] = x[(n * rows + r) * columns + c];
            }
        }
    }
    y
}

/// Results under their names.
pub fn outputs<const N: usize>(list: [(&str, Vec<f32>); N]) -> Outputs {
    list.into_iter().map(|(name, values)| (name.to_owned(), values)).collect()
}

/// `factor` times each number.
pub fn times(factor: f32, x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| factor * x).collect()
}
