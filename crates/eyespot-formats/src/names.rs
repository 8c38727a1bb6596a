//! Names as files have them, and as networks have them.

/// Whether a tensor only counts: batch norm's batches, or the steps in an average of weights. PyTorch saves these, and
/// nothing here reads them, because running statistics move with a fixed momentum.
pub(crate) fn is_counter(name: &str) -> bool {
    let last = name.rsplit('.').next();
    last == Some("num_batches_tracked") || last == Some("n_averaged")
}

/// Prefixes that wrappers put before every name: data parallel training, compiled and nested models.
const PREFIXES: [&str; 6] = ["module.", "_orig_mod.", "model.", "net.", "network.", "state_dict."];

/// How many bytes of wrapper prefixes all of these names share; 0 where some name has none.
pub(crate) fn shared_prefix(names: &[&str]) -> usize {
    let mut length = 0;
    let shared = |length: usize, prefix: &str| {
        let has = |name: &&str| name.get(length..).is_some_and(|rest| rest.starts_with(prefix));
        // A name that is nothing but the prefix isn't wrapped.
        !names.is_empty() && names.iter().all(|name| has(name) && name.len() > length + prefix.len())
    };
    while let Some(prefix) = PREFIXES.iter().find(|prefix| shared(length, prefix)) {
        length += prefix.len();
    }
    length
}
