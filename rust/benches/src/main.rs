//! The crates as contestants of `benches/workers.py`.
//!
//! The first line printed says what there is. After that each line of input is answered:
//!
//! ```text
//! check CONTESTANT READ_SIZE 1 FILE        -> "ok 0", or "wrong" and the reason
//! time CONTESTANT READ_SIZE PASSES FILE    -> "ok" and the nanoseconds
//! ```
//!
//! FILE is a stream that `benches/workloads.py` wrote, with the expected data beside it.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use ssejet_benches::{CONTESTANTS, Workload};

fn main() -> Result<(), Box<dyn Error>> {
    let contestants: Vec<_> = CONTESTANTS.iter().map(|each| (each.name, version(each.package))).collect();
    println!("{}", json!({"language": "Rust", "contestants": contestants}));

    let mut workloads = HashMap::new();
    for line in io::stdin().lines() {
        let line = line?;
        let [command, name, read_size, passes, file] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not a request: {line:?}").into());
        };
        let contestant = CONTESTANTS.iter().find(|each| each.name == name).ok_or("no such contestant")?;
        let key = (file.to_owned(), read_size.to_owned());
        if !workloads.contains_key(&key) {
            workloads.insert(key.clone(), Workload::read(Path::new(file), read_size.parse()?)?);
        }
        let workload = &workloads[&key];
        let answer = match command {
            "check" => match contestant.check(workload) {
                Ok(()) => "ok 0".to_owned(),
                Err(reason) => format!("wrong {reason}"),
            },
            _ => {
                let passes: u32 = passes.parse()?;
                let started = Instant::now();
                for _ in 0..passes {
                    contestant.decode(workload);
                }
                format!("ok {}", started.elapsed().as_nanos())
            }
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

/// The version of a crate that this program was built with.
fn version(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../Cargo.lock");
    let entry = format!("name = \"{package}\"\nversion = \"");
    LOCK.split_once(&entry)
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("unknown", |(version, _)| version)
}
