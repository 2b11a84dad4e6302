//! Recompiles the crate when a migration is added: `sqlx::migrate!` alone watches only files it already knows.

fn main() {
    let mut out = std::io::stdout();
    // A build script speaks to cargo through standard output; a failed write only means a needless rebuild.
    let _ = std::io::Write::write_all(
        &mut out,
        b"cargo::rerun-if-changed=migrations\ncargo::rerun-if-changed=sqlx.toml\n",
    );
}
