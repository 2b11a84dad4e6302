//! The clients' own log of what was acknowledged: on disk before anything else is done, so that no crash of theirs could forget it either.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// One acknowledged write: what, about what, and what the answer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) about: String,
    pub(super) said: String,
}

pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    lines: AtomicUsize,
}

impl Journal {
    pub(super) fn create(path: &Path) -> Self {
        let file = File::create_new(path).unwrap();
        Self { path: path.to_owned(), file: Mutex::new(file), lines: AtomicUsize::new(0) }
    }

    /// Notes an acknowledged write; returns when it is on disk. None of the texts holds a blank.
    pub(super) fn note(&self, what: &str, about: &str, said: &str) {
        let mut file = self.file.lock().unwrap();
        writeln!(file, "{what} {about} {said}").unwrap();
        file.sync_data().unwrap();
        self.lines.fetch_add(1, Ordering::SeqCst);
    }

    /// How many writes were acknowledged so far.
    pub(super) fn len(&self) -> usize {
        self.lines.load(Ordering::SeqCst)
    }

    /// Everything, as it stands on disk.
    pub(super) fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(&self.path).unwrap();
        let line = |line: &str| {
            let mut parts = line.splitn(3, ' ').map(str::to_owned);
            let mut next = || parts.next().unwrap();
            Line { what: next(), about: next(), said: next() }
        };
        text.lines().map(line).collect()
    }
}
