//! The decoders that are compared, and the workloads that they read.

mod contestants;
mod workload;

pub use contestants::{CONTESTANTS, Contestant};
pub use workload::{Workload, workloads};
