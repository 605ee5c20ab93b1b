use std::fs;
use std::path::{Path, PathBuf};

/// A stream that `benches/workloads.py` wrote, cut into reads.
pub struct Workload {
    pub name: String,
    pub bytes: u64,
    pub chunks: Vec<&'static [u8]>,
    /// The data of each event, followed by NUL.
    pub expected: Vec<u8>,
}

impl Workload {
    /// Reads a workload. Its bytes are never freed, so that chunks are borrowed at no cost.
    pub fn read(file: &Path, read_size: usize) -> std::io::Result<Self> {
        let body: &'static [u8] = fs::read(file)?.leak();
        Ok(Self {
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: body.len() as u64,
            chunks: body.chunks(read_size).collect(),
            expected: fs::read(file.with_extension("expected"))?,
        })
    }
}

/// Every workload in a directory, with the reads that belong to it.
pub fn workloads(directory: &Path) -> std::io::Result<Vec<Workload>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sse"));
    files.sort();
    files
        .iter()
        .map(|file| {
            let read_size = fs::read_to_string(file.with_extension("read-size"))?;
            let read_size = read_size.trim().parse().map_err(std::io::Error::other)?;
            Workload::read(file, read_size)
        })
        .collect()
}
