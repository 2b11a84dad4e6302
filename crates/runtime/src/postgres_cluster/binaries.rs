//! Finds the installed Postgres server programs. It downloads nothing.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::ClusterError;

/// The oldest major version that the schemas are written for.
const OLDEST_MAJOR: u32 = 15;

/// A directory with `postgres` and `initdb`, and their major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The directory that holds the programs.
    pub dir: PathBuf,
    /// Major version, for example 15.
    pub major: u32,
}

impl Binaries {
    /// Finds the newest server of at least version 15, or exactly `want_major` if a data directory already demands
    /// one. `SHOUWEN_PG_BIN` names a directory and then nothing else is looked at.
    pub async fn find(want_major: Option<u32>) -> Result<Self, ClusterError> {
        let explicit = std::env::var_os("SHOUWEN_PG_BIN").map(PathBuf::from);
        let candidates = match &explicit {
            Some(dir) => vec![dir.clone()],
            None => installed().await,
        };
        let mut seen = Vec::new();
        for dir in candidates {
            let Some(major) = version(&dir).await else { continue };
            if want_major.map_or(major >= OLDEST_MAJOR, |want| major == want) {
                return Ok(Self { dir, major });
            }
            seen.push(format!("{} (version {major})", dir.display()));
        }
        if let Some(dir) = explicit {
            seen.push(format!("SHOUWEN_PG_BIN={}", dir.display()));
        }
        Err(ClusterError::NotInstalled {
            wanted: want_major.map_or_else(
                || format!("{OLDEST_MAJOR} or newer"),
                |major| format!("{major}, which made the data"),
            ),
            package: want_major
                .map_or_else(|| "postgresql".to_owned(), |major| format!("postgresql-{major}")),
            seen: if seen.is_empty() { "none".to_owned() } else { seen.join(", ") },
        })
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Candidate directories, in order of preference.
async fn installed() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Some(stdout) = output(Path::new("pg_config"), "--bindir").await {
        dirs.push(PathBuf::from(stdout.trim()));
    }
    let mut packaged: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    packaged.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    dirs.extend(packaged.into_iter().map(|(_, dir)| dir));
    dirs.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    dirs
}

async fn version(dir: &Path) -> Option<u32> {
    if !dir.join("initdb").exists() {
        return None;
    }
    parse_version(&output(&dir.join("postgres"), "--version").await?)
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-1)` → 15.
fn parse_version(line: &str) -> Option<u32> {
    let number = line.split_once("(PostgreSQL) ")?.1;
    number.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

async fn output(program: &Path, arg: &str) -> Option<String> {
    let output =
        Command::new(program).arg(arg).stdin(Stdio::null()).stderr(Stdio::null()).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_releases_and_betas_are_read() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(parse_version("bash: postgres: not found"), None);
    }

    #[tokio::test]
    async fn a_missing_version_names_the_package_to_install() {
        let error = Binaries::find(Some(7)).await.unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql-7"), "{error}");
    }
}
