//! The crates on every workload, with criterion's statistics.
//!
//! The workloads are files, so that all languages read the same bytes. From the root of the
//! repository: `python -m benches.workloads target/workloads`.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ssejet_benches::{CONTESTANTS, workloads};

fn decode(criterion: &mut Criterion) {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/workloads");
    let workloads = workloads(&directory).unwrap_or_else(|error| {
        panic!(
            "no workloads in target/workloads ({error}): \
             write them with `python -m benches.workloads target/workloads`"
        )
    });
    for workload in workloads {
        let mut group = criterion.benchmark_group(&workload.name);
        group.throughput(Throughput::Bytes(workload.bytes));
        group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        for contestant in CONTESTANTS {
            if let Err(reason) = contestant.check(&workload) {
                eprintln!("{}: {} is left out: {reason}", workload.name, contestant.name);
                continue;
            }
            group.bench_function(contestant.name, |bencher| {
                bencher.iter(|| contestant.decode(&workload));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
