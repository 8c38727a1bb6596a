#![forbid(unsafe_code)]
//! Plans how a graph is computed: all that devices have in common.
//!
//! A device compiles a graph in four moves, of which only the third is its own:
//!
//! 1. [`check`] refuses what can't be computed, before anything is allocated.
//! 2. [`InferencePlan`] or [`TrainingPlan`] decides which operators are computed in one step, in which order, and which
//!    buffer each result takes.
//! 3. The device makes of each step what computes it. Weights come ready from [`conv2d_weights`], [`ScaleShift`] and
//!    [`columns_in_memory_order`], or in training lie in two blocks as [`Slots`] says.
//! 4. [`Planner::layout`] gives each buffer its place in one arena; buffers share memory when they are never in use at
//!    the same time.
//!
//! ```
//! use eyespot_compile::{InferencePlan, inference::Kind};
//! use eyespot_graph::{Builder, Shape, ops::Conv2d};
//! let mut b = Builder::new("tiny", Shape::map(3, 8, 8));
//! let x = b.input();
//! let x = b.conv2d("conv", x, Conv2d::new(3, 4, 3).padding(1));
//! let x = b.batch_norm("bn", x);
//! b.relu("relu", x);
//! let plan = InferencePlan::new(&b.finish()?, 2)?;
//! assert_eq!(plan.steps.len(), 1);
//! assert_eq!(plan.steps[0].name, "conv+BatchNorm2d+ReLU");
//! assert!(matches!(&plan.steps[0].kind, Kind::Conv2d { norms, .. } if norms == &[2]));
//! assert_eq!(plan.planner.layout()?.total, 2 * 4 * 8 * 8);
//! # Ok::<(), eyespot_graph::DeviceError>(())
//! ```

mod analysis;
mod arena;
mod check;
mod fold;
mod functions;
pub mod inference;
pub mod slots;
pub mod training;

pub use analysis::{Analysis, Purpose, in_and_out};
pub use arena::{ALIGNMENT, BufferId, Layout, Planner, Source, Span};
pub use check::{check, check_call, check_graph, check_params, tensor};
pub use fold::{Folded, Numbers, ScaleShift, columns_in_memory_order, conv2d_weights};
pub use functions::Activation;
pub use inference::InferencePlan;
pub use slots::{Slot, Slots};
pub use training::TrainingPlan;
