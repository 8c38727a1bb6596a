//! Steps that are computed as one because what lies between them is large.

use crate::lower::Lowered;
use crate::ops::{Conv2d, Kernel, Separable};
use crate::step::Step;
use eyespot_compile::Source;
use eyespot_kernels::conv2d::SeparableKernel;

impl Lowered {
    /// Fuses depthwise convolutions with the pointwise ones around them, where nobody else reads what lies between.
    pub(crate) fn fuse_separable(&mut self) {
        let mut last = 0;
        while let Some(index) = (last + 1..self.steps.len()).find(|&index| self.ends_separable(index)) {
            let first = if self.starts_separable(index) { index - 2 } else { index - 1 };
            let parts: Vec<Step> = self.steps.drain(first..=index).collect();
            let fused = fuse(parts);
            self.steps.insert(first, fused);
            last = first;
        }
        self.planner.forget();
        for (time, step) in self.steps.iter().enumerate() {
            step.spans().for_each(|span| self.planner.touch(span, time));
        }
        self.planner.touch(self.output, self.steps.len());
    }

    /// Whether only step `index + 1` reads the result of step `index`.
    fn only_next_reads(&self, index: usize) -> bool {
        let (y, next) = (self.steps[index].y, &self.steps[index + 1]);
        let readers =
            self.steps.iter().filter(|step| step.reads().any(|span| span.buffer == y.buffer)).count();
        let writers = self.steps.iter().filter(|step| step.y.buffer == y.buffer).count();
        next.inputs[0] == Source::Arena(y)
            && next.inputs.get(1).is_none_or(|&other| other != next.inputs[0])
            && (readers, writers) == (1, 1)
            && self.output.buffer != y.buffer
    }

    /// Whether steps `index − 1` and `index` are a depthwise and a pointwise convolution worth fusing.
    fn ends_separable(&self, index: usize) -> bool {
        let [before, step] = &self.steps[index - 1..=index] else { return false };
        let (Kernel::Conv2d(depthwise), Kernel::Conv2d(project)) = (&before.kernel, &step.kernel) else {
            return false;
        };
        before.inputs.len() == 1
            && self.only_next_reads(index - 1)
            && (SeparableKernel::fits(None, &depthwise.kernel, &project.kernel)
                || self.starts_separable(index))
    }

    /// Whether step `index − 2` is the pointwise convolution in front of them.
    fn starts_separable(&self, index: usize) -> bool {
        let Some([expand, depthwise, project]) = index.checked_sub(2).map(|first| &self.steps[first..=index])
        else {
            return false;
        };
        let [Kernel::Conv2d(first), Kernel::Conv2d(depthwise), Kernel::Conv2d(project)] =
            [&expand.kernel, &depthwise.kernel, &project.kernel]
        else {
            return false;
        };
        expand.inputs.len() == 1
            && self.only_next_reads(index - 2)
            && SeparableKernel::fits(Some(&first.kernel), &depthwise.kernel, &project.kernel)
    }
}

/// One step in the place of two or three.
fn fuse(parts: Vec<Step>) -> Step {
    let multiply_adds = parts.iter().map(|step| step.multiply_adds).sum();
    let work = parts.iter().fold(0usize, |work, step| work.saturating_add(step.work));
    let name = parts.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(" → ");
    // The first one's input, and the last one's residual sum.
    let mut inputs = vec![parts[0].inputs[0]];
    inputs.extend(parts.last().and_then(|step| step.inputs.get(1)));
    let (mut kernels, mut ends) = (Vec::new(), None);
    for step in parts {
        if let Kernel::Conv2d(Conv2d { kernel, out_stride }) = step.kernel {
            kernels.push(*kernel);
            ends = Some((step.y, out_stride));
        }
    }
    let mut kernels = kernels.into_iter().rev();
    let (Some(project), Some(depthwise), Some((y, out_stride))) = (kernels.next(), kernels.next(), ends)
    else {
        unreachable!("only convolutions are fused");
    };
    let kernel = Box::new(SeparableKernel::new(kernels.next(), depthwise, project));
    let kernel = Kernel::Op(Box::new(Separable { kernel, out_stride }));
    Step { name, kernel, inputs, y, multiply_adds, work }
}
