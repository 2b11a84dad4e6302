//! Which user the server runs as. Postgres refuses to run as root, so root lends it another account and makes sure
//! that this account can reach its files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::ClusterError;

/// A user to run the server as, when that is not the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// `None` for an ordinary user, who runs the server as itself; for root `postgres`, or else `nobody`.
    pub(super) async fn to_run_as() -> Result<Option<Self>, ClusterError> {
        if id(&["-u"]).await != Some(0) {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id(&["-u", name]).await, id(&["-g", name]).await) {
                return Ok(Some(Self { uid, gid }));
            }
        }
        Err(ClusterError::NoAccount)
    }

    /// Gives a directory to the account and checks that it can be reached through all its parents.
    pub(super) fn take_over(self, dir: &Path) -> Result<(), ClusterError> {
        chown(dir, Some(self.uid), Some(self.gid)).map_err(|error| ClusterError::io(dir, error))?;
        let dir = fs::canonicalize(dir).map_err(|error| ClusterError::io(dir, error))?;
        match dir.ancestors().skip(1).find(|parent| !self.may_enter(parent)) {
            None => Ok(()),
            Some(parent) => Err(ClusterError::Unreachable { parent: parent.to_owned(), uid: self.uid }),
        }
    }

    /// Gives a file to the account.
    pub(super) fn own_file(self, file: &Path) -> Result<(), ClusterError> {
        chown(file, Some(self.uid), Some(self.gid)).map_err(|error| ClusterError::io(file, error))
    }

    fn may_enter(self, dir: &Path) -> bool {
        let Ok(metadata) = fs::metadata(dir) else { return false };
        let mode = metadata.permissions().mode();
        let bit = if metadata.uid() == self.uid {
            0o100
        } else if metadata.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

/// Runs `id` with these arguments.
async fn id(args: &[&str]) -> Option<u32> {
    let output =
        Command::new("id").args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().await.ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Makes a directory that only its owner may enter, if it does not exist yet.
pub(super) fn private_dir(dir: &Path) -> Result<PathBuf, ClusterError> {
    if !dir.exists() {
        fs::create_dir_all(dir).map_err(|error| ClusterError::io(dir, error))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .map_err(|error| ClusterError::io(dir, error))?;
    }
    fs::canonicalize(dir).map_err(|error| ClusterError::io(dir, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_closed_to_the_account_is_named() {
        let outer = tempfile::tempdir().unwrap();
        let inner = private_dir(&outer.path().join("data")).unwrap();
        let owner = fs::metadata(&inner).unwrap();
        let stranger = Account { uid: owner.uid() + 4242, gid: owner.gid() + 4242 };
        assert!(!stranger.may_enter(&inner));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o711)).unwrap();
        assert!(stranger.may_enter(&inner));
        let own = Account { uid: owner.uid(), gid: owner.gid() };
        assert!(own.may_enter(&inner));
    }
}
