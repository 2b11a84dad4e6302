//! Compiles the protobuf contract: messages, clients, servers and the descriptor set, without protoc.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use prost::Message as _;
use prost_types::FileDescriptorSet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root.join("shouwen"), &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let descriptors = compiler.file_descriptor_set();

    let out = PathBuf::from(env::var("OUT_DIR")?);
    // As the compiler encodes it: `prost` would drop the options that it does not know.
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    debug_assert!(!descriptors.encode_to_vec().is_empty());
    let google =
        descriptors.file.iter().filter(|file| file.package().starts_with("google.")).cloned().collect();
    tonic_prost_build::configure()
        .extern_path(".google.longrunning", "crate::longrunning")
        .compile_fds(descriptors)?;
    // Their modules lie elsewhere than the packages' names say, so the first pass leaves them out.
    tonic_prost_build::configure()
        .extern_path(".google.rpc", "crate::rpc")
        .compile_fds(FileDescriptorSet { file: google })?;
    Ok(())
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
