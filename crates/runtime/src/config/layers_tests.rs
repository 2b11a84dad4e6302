use std::fs;

use serde::{Deserialize, Serialize};

use super::*;
use crate::config::{Period, Secret, list};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Service {
    name: String,
    database: Database,
    #[serde(deserialize_with = "list")]
    targets: Vec<String>,
    tls: Option<Files>,
    accept: Vec<Files>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Files {
    key: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Database {
    url: Secret,
    max_connections: u32,
    acquire_timeout: Period,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: Secret::default(), max_connections: 10, acquire_timeout: Period::secs(5) }
    }
}

struct Setup {
    dir: tempfile::TempDir,
    layers: Layers,
}

fn setup(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shouwen.toml");
    fs::write(&path, file).unwrap();
    let owned =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Setup { layers: Layers { file: Some(path), environment: owned(environment), flags: owned(flags) }, dir }
}

fn load(setup: &Setup) -> Service {
    setup.layers.load().unwrap()
}

fn complaint(setup: &Setup) -> String {
    setup.layers.load::<Service>().unwrap_err().to_string()
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let setup = setup(
        "name = 'file'\n[database]\nmax_connections = 1\nacquire_timeout = '1s'\n",
        &[("SHOUWEN_DATABASE__MAX_CONNECTIONS", "2"), ("SHOUWEN_NAME", "environment"), ("PATH", "/bin")],
        &[("name", "flag")],
    );
    let service = load(&setup);
    assert_eq!(service.name, "flag");
    assert_eq!(service.database.max_connections, 2);
    assert_eq!(service.database.acquire_timeout, Period::secs(1));
    assert_eq!(Layers::default().load::<Service>().unwrap().database.max_connections, 10);
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    let in_file = setup("[database]\nmax_conections = 1\n", &[], &[]);
    let text = complaint(&in_file);
    assert!(
        text.contains("unknown key `database.max_conections` in") && text.contains("shouwen.toml"),
        "{text}"
    );
    let in_environment = setup("", &[("SHOUWEN_DATABASE__URI", "x")], &[]);
    let text = complaint(&in_environment);
    assert_eq!(text, "unknown key `database.uri` (environment variable SHOUWEN_DATABASE__URI)");
    assert_eq!(complaint(&setup("", &[], &[("nmae", "x")])), "unknown key `nmae` in the flags");
}

#[test]
fn an_unknown_table_is_named_with_its_place_with_and_without_a_file() {
    const VARIABLE: (&str, &str) = ("SHOUWEN_DATABAS__URL", "x");
    const FLAG: (&str, &str) = ("databas.url", "x");
    for with_file in [true, false] {
        let said = |environment: &[(&str, &str)], flags: &[(&str, &str)]| {
            let mut setup = setup("name = 'file'\n", environment, flags);
            setup.layers.file = setup.layers.file.take().filter(|_| with_file);
            complaint(&setup)
        };
        let of_variable = "unknown key `databas` (environment variable SHOUWEN_DATABAS__URL)";
        assert_eq!(said(&[VARIABLE], &[]), of_variable);
        assert_eq!(said(&[], &[FLAG]), "unknown key `databas` in the flags");
        assert_eq!(said(&[VARIABLE], &[FLAG]), "unknown key `databas` in the flags");
    }
    // Names that only begin alike are others.
    let alike = &[("databasx.url", "x")];
    let text = complaint(&setup("[databas]\nurl = 'x'\n", &[("SHOUWEN_DATABAS_PORT", "1")], alike));
    assert!(text.contains("`databas` in /") && text.contains("`databasx` in the flags"), "{text}");
}

#[test]
fn an_unknown_key_is_found_in_lists_and_in_tables_that_may_be_left_out() {
    let layers = |environment: &[(&str, &str)], flags: &[(&str, &str)]| Layers {
        file: None,
        ..setup("", environment, flags).layers
    };
    let said = |layers: Layers| layers.load::<Service>().unwrap_err().to_string();
    assert_eq!(said(layers(&[], &[("tls.kye", "x")])), "unknown key `tls.kye` in the flags");
    let of_variable = "unknown key `tls.kye` (environment variable SHOUWEN_TLS__KYE)";
    assert_eq!(said(layers(&[("SHOUWEN_TLS__KYE", "x")], &[])), of_variable);
    assert_eq!(said(layers(&[], &[("accept[0].kye", "x")])), "unknown key `accept.0.kye` in the flags");
    assert_eq!(said(layers(&[], &[("acept[0].key", "x")])), "unknown key `acept` in the flags");
    let service: Service = layers(&[("SHOUWEN_TLS__KEY", "a")], &[("accept[0].key", "b")]).load().unwrap();
    assert_eq!((service.tls.unwrap().key, service.accept[0].key.as_str()), ("a".to_owned(), "b"));
}

#[test]
fn variables_that_kubernetes_makes_for_its_services_are_left_alone() {
    load(&setup(
        "",
        &[("SHOUWEN_GATEWAY_PORT", "tcp://10.0.0.1:50051"), ("SHOUWEN_PG_BIN", "/usr/bin")],
        &[],
    ));
}

#[test]
fn a_wrong_value_is_named_with_key_and_place() {
    let text = complaint(&setup("[database]\nmax_connections = 'many'\n", &[], &[]));
    assert!(text.contains("database.max_connections") && text.contains("shouwen.toml"), "{text}");
    let text = complaint(&setup("", &[("SHOUWEN_DATABASE__MAX_CONNECTIONS", "many")], &[]));
    assert!(text.contains("SHOUWEN_DATABASE__MAX_CONNECTIONS"), "{text}");
    let text = complaint(&setup("[database]\nacquire_timeout = '5 weeks'\n", &[], &[]));
    assert!(text.contains("5 weeks") && text.contains("shouwen.toml"), "{text}");
    let text = complaint(&setup("[database\n", &[], &[]));
    assert!(text.contains("shouwen.toml"), "{text}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let layers = Layers { file: Some("/nowhere/shouwen.toml".into()), ..Layers::default() };
    let text = layers.load::<Service>().unwrap_err().to_string();
    assert!(text.contains("/nowhere/shouwen.toml"), "{text}");
}

#[test]
fn secrets_come_from_files_by_value_or_by_key_and_are_not_printed() {
    let setup = setup("", &[], &[]);
    let path = setup.dir.path().join("url");
    fs::write(&path, "postgres://u:0123@h/d\n").unwrap();
    let path = path.display().to_string();
    for (key, value) in [("database.url", format!("file:{path}")), ("database.url_file", path)] {
        let layers = Layers { flags: vec![(key.to_owned(), value)], ..setup.layers.clone() };
        let service: Service = layers.load().unwrap();
        assert_eq!(service.database.url.expose(), "postgres://u:0123@h/d");
        let printed = print_config(&service).unwrap();
        assert!(printed.contains("url = \"[secret]\"") && !printed.contains("0123"), "{printed}");
        assert!(printed.contains("acquire_timeout = \"5s\""), "{printed}");
    }
}

#[test]
fn a_file_key_for_nothing_is_unknown_as_it_was_written() {
    let text = complaint(&setup("[database]\nurk_file = '/x'\n", &[], &[]));
    assert!(text.contains("`database.urk_file`"), "{text}");
}

#[test]
fn a_password_of_digits_keeps_its_zeros() {
    let service = load(&setup("", &[("SHOUWEN_DATABASE__URL", "0123")], &[]));
    assert_eq!(service.database.url.expose(), "0123");
}

#[test]
fn lists_are_arrays_in_files_and_commas_elsewhere() {
    assert_eq!(load(&setup("targets = ['a', 'b']", &[], &[])).targets, ["a", "b"]);
    assert_eq!(load(&setup("targets = ['a']", &[("SHOUWEN_TARGETS", "c, d,")], &[])).targets, ["c", "d"]);
}
