//! The command line as an operator meets it: help, settings and their layers, tokens, exit codes.

use std::{fs, io, net::TcpListener, path::Path, process::Output};

use shouwen_access::token::Issuer;
use shouwen_proto::ownership::v1::GetEmployeeRequest;
use shouwen_testkit::until;

use crate::harness::{
    Client, PATIENCE, Shape, Shared, Suite,
    client::channel,
    deployment::{Addresses, Deployment, Kind},
    place::{Place, SERVICES},
    ports,
    process::{self, run, text},
};

/// `serve <service> --print-config` with these settings in file, environment and flags.
fn print_config(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("settings.toml");
    fs::write(&path, file).unwrap();
    print_config_of(Some(&path), environment, flags)
}

fn print_config_of(file: Option<&Path>, environment: &[(&str, &str)], flags: &[&str]) -> Output {
    let mut command = process::command();
    command.args(["serve", "calls", "--print-config"]);
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    command.envs(environment.iter().copied());
    for flag in flags {
        command.args(["--set", flag]);
    }
    command.output().unwrap()
}

#[test]
fn help_says_what_each_command_is_for_and_what_its_exit_codes_mean() {
    let commands: [(&[&str], &[&str]); 12] = [
        (&[], &["首问", "up", "serve", "migrate", "token", "audit", "healthcheck", "demo", "Exit codes"]),
        (&["up"], &["private Postgres", "--data-dir", "--listen", "127.0.0.1:50051"]),
        (
            &["serve"],
            &[
                "gateway",
                "calls",
                "callbacks",
                "clients",
                "complaints",
                "--set",
                "--print-config",
                "--check",
                "SHOUWEN_",
            ],
        ),
        (&["migrate"], &["schemas and roles", "--service"]),
        (&["token"], &["employees/{employee}", "--bootstrap", "--minutes"]),
        (&["audit"], &["verify", "export", "public-key"]),
        (
            &["audit", "verify"],
            &["hash chain", "--checkpoints", "--public-key", "Exit codes: 0", "1 something was found"],
        ),
        (&["audit", "export"], &["signed checkpoint", "--key"]),
        (&["healthcheck"], &["exit code 0", "--address", "--ca", "--cert", "--key", "--timeout"]),
        (&["demo"], &["--input", "--expected", "--mutant"]),
        (&["help", "serve"], &["Run one service"]),
        (&["help", "audit", "verify"], &["Recompute"]),
    ];
    for (command, expected) in commands {
        let mut arguments = command.to_vec();
        if command.first() != Some(&"help") {
            arguments.push("--help");
        }
        let output = run(&arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {said}");
        for part in expected {
            assert!(said.contains(part), "`{part}` is not in the help of {command:?}: {said}");
        }
    }
    let version = run(["--version"]);
    assert!(text(&version).starts_with("shouwen "), "{}", text(&version));
    let unknown = run(["serve", "payroll"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown).contains("possible values: gateway, calls, callbacks"), "{}", text(&unknown));
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default() {
    const FILE: &str = "[database]\nmax_connections = 11\n";
    const VARIABLE: (&str, &str) = ("SHOUWEN_DATABASE__MAX_CONNECTIONS", "12");
    const FLAG: &str = "database.max_connections=13";
    type Layer<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], u32);
    let layers: [Layer<'_>; 5] = [
        ("", &[], &[], 10),
        (FILE, &[], &[], 11),
        (FILE, &[VARIABLE], &[], 12),
        (FILE, &[VARIABLE], &[FLAG], 13),
        ("", &[VARIABLE], &[], 12),
    ];
    for (file, environment, flags, expected) in layers {
        let output = print_config(file, environment, flags);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(&format!("max_connections = {expected}\n")), "{said}");
    }
    let with_lists =
        print_config("", &[], &["peers.ownership.addresses=a:1, b:2", "peers.ownership.key_id=k"]);
    assert!(text(&with_lists).contains("\"a:1\""), "{}", text(&with_lists));
}

#[test]
fn a_printed_configuration_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let secret_file = dir.path().join("url");
    fs::write(&secret_file, "postgres://calls:from-a-file@db/firm\n").unwrap();
    let file = format!(
        "page_token_key = \"cGFnZS10b2tlbnM\"\n[database]\nurl_file = \"{}\"\n\
         [[accept]]\nissuer = \"gateway\"\nkey_id = \"gateway-calls\"\nkey = \"YWNjZXB0ZWQ\"\n\
         [peers.ownership]\naddresses = [\"gateway:50061\"]\nkey_id = \"calls-ownership\"\nkey = \"cGVlcg\"\n",
        secret_file.display()
    );
    let output = print_config(&file, &[], &[]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for secret in ["cGFnZS10b2tlbnM", "from-a-file", "YWNjZXB0ZWQ", "cGVlcg"] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(said.matches("[secret]").count() >= 4, "{said}");
    assert!(said.contains("gateway:50061") && said.contains("calls-ownership"), "{said}");
    // What was printed can be read again, once the secrets are there.
    let table: toml::Table = String::from_utf8_lossy(&output.stdout).parse().unwrap();
    assert!(table.contains_key("engine"));
}

#[test]
fn a_setting_that_nobody_reads_is_named_with_its_place() {
    let in_file = print_config("[database]\nmax_conections = 11\n", &[], &[]);
    let in_environment = print_config("", &[("SHOUWEN_DATABASE__MAX_CONECTIONS", "12")], &[]);
    let in_flags = print_config("", &[], &["database.max_conections=13"]);
    for (output, place) in [
        (in_file, "settings.toml"),
        (in_environment, "environment variable SHOUWEN_DATABASE__MAX_CONECTIONS"),
        (in_flags, "the flags"),
    ] {
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("`database.max_conections`") && said.contains(place), "{said}");
    }
    // What the code alone decides is no setting.
    let fixed = print_config("[server]\nhttp1 = true\n", &[], &[]);
    assert_eq!(fixed.status.code(), Some(2), "{}", text(&fixed));
    assert!(text(&fixed).contains("`server.http1`"), "{}", text(&fixed));
    // A table that nobody reads is none the less, with a file and without one.
    let variable = ("SHOUWEN_DATABAS__URL", "x");
    for (output, place) in [
        (print_config("", &[variable], &[]), "environment variable SHOUWEN_DATABAS__URL"),
        (print_config_of(None, &[variable], &[]), "environment variable SHOUWEN_DATABAS__URL"),
        (print_config("", &[], &["databas.url=x"]), "the flags"),
        (print_config_of(None, &[], &["databas.url=x"]), "the flags"),
    ] {
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("`databas`") && said.contains(place), "{said}");
        assert!(!said.contains("settings.toml"), "{said}");
    }
    let in_an_option = print_config_of(None, &[], &["tls.certificat=x"]);
    assert_eq!(in_an_option.status.code(), Some(2), "{}", text(&in_an_option));
    assert!(text(&in_an_option).contains("`tls.certificat` in the flags"), "{}", text(&in_an_option));
    for (bad, part) in [
        ("database.max_connections=many", "max_connections"),
        ("database.acquire_timeout=soon", "acquire_timeout"),
        ("listen=here", "listen"),
    ] {
        let output = print_config("", &[], &[bad]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(part), "{}", text(&output));
    }
    let missing = run(["serve", "calls", "--print-config", "--config", "/nowhere/settings.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing).contains("/nowhere/settings.toml"), "{}", text(&missing));
}

#[tokio::test]
async fn nothing_is_served_before_every_setting_is_known_to_be_good() {
    let suite = Suite::prepared(Place::shared().await, &Shape::default());
    let keyring = suite.deployment.dir().join("nowhere");
    let keyring = format!("vault.keyring={}", keyring.display());
    let wrong: [(Kind, &str, &str); 20] = [
        (Kind::Calls, "engine.queue=0", "engine.queue: "),
        (Kind::Gateway, "edge.touch_interval=0s", "edge.touch_interval: "),
        (Kind::Calls, "page_token_key=c2hvcnQ=", "page_token_key"),
        (Kind::Calls, &keyring, "vault.keyring"),
        (Kind::Calls, "peers.ownership.key=c2hvcnQ=", "peers.ownership: "),
        (Kind::Callbacks, "peers.calls.addresses=no address", "no address"),
        (Kind::Clients, "peers.ownership.addresses=no address", "no address"),
        (Kind::Complaints, "peers.clients.key=c2hvcnQ=", "peers.clients: "),
        (Kind::Gateway, "edge.tokens.keys=/nowhere/jwks.json", "/nowhere/jwks.json"),
        (Kind::Gateway, "edge.backends.calls.key=c2hvcnQ=", "calls"),
        (Kind::Gateway, "audit.key=/nowhere/audit.pem", "/nowhere/audit.pem"),
        (Kind::Calls, "audit.export=/nowhere/proof.jsonl", "audit.export: /nowhere/proof.jsonl: "),
        (Kind::Gateway, "edge.ownership_age=2s", "edge.ownership_age: 2s: "),
        (Kind::Gateway, "edge.limits.max_message_bytes=4194305", "edge.limits.max_message_bytes: 4194305: "),
        (Kind::Calls, "tls.certificate=/nowhere/tls.crt", "tls: /nowhere/tls.crt: "),
        (Kind::Calls, "channel.tls.ca=/nowhere/ca.crt", "channel.tls: /nowhere/ca.crt: "),
        (Kind::Gateway, "edge.channel.tls.ca=/nowhere/ca.crt", "edge.channel.tls: /nowhere/ca.crt: "),
        (Kind::Gateway, "edge.backends.ownership.key_id=own", "edge.backends.ownership: "),
        (Kind::Calls, "telemetry.level=shouwen=loud", "telemetry: `shouwen=loud`"),
        (Kind::Calls, "telemetry.otlp_endpoint=no address", "telemetry: "),
    ];
    for (kind, setting, part) in wrong {
        // A check of the settings finds the same.
        for more in [None, Some("--check")] {
            let mut command = process::command();
            command.args(["serve", kind.argument(), "--config"]).arg(suite.deployment.settings(kind));
            command.args(["--set", setting]).args(more);
            for unused in ["listen", "admin_listen", "internal_listen"] {
                command.args(["--set", &format!("{unused}={}", ports::free())]);
            }
            // A database that is away: the settings are looked at before anything is waited for.
            command.args(["--set", &format!("database.url=postgres://nobody@{}/firm", ports::free())]);
            let output = tokio::task::spawn_blocking(move || command.output().unwrap());
            let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap();
            let said = text(&output);
            assert_eq!(output.status.code(), Some(2), "{setting}: {said}");
            assert!(said.contains(part), "{setting}: {said}");
        }
    }
}

#[test]
fn a_check_says_that_settings_are_good_and_connects_to_nothing() {
    // Wherever a service would connect to, and the address on which it would listen.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let there = listener.local_addr().unwrap();
    let deployment = Deployment::new();
    deployment.write_settings(&Addresses::from(SERVICES.map(|service| (service, vec![there]))), "http");
    for kind in Kind::ALL {
        let mut command = process::command();
        command.args(["serve", kind.argument(), "--check", "--config"]).arg(deployment.settings(kind));
        for setting in [
            format!("listen={there}"),
            format!("database.url=postgres://nobody@{there}/firm"),
            format!("telemetry.otlp_endpoint=http://{there}"),
            format!("edge.tokens.keys=http://{there}/jwks.json"),
        ] {
            command.args(["--set", &setting]);
        }
        let output = command.output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{kind:?}: {said}");
        assert!(said.contains("the settings are good"), "{kind:?}: {said}");
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock, "{kind:?} connects to something");
    }
}

#[tokio::test]
async fn log_and_metrics_say_which_release_serves_and_the_log_where() {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    let suite = Shared::suite().await;
    for process in suite.processes() {
        let log = process.log();
        let serving = log.lines().find(|line| line.contains("\"message\":\"serving\"")).unwrap_or_default();
        let (version, listen) = (format!("\"version\":\"{VERSION}\""), process.address.to_string());
        for part in [version, listen, process.admin.to_string()] {
            assert!(serving.contains(&part), "{}: `{part}` is not in: {serving}", process.name);
        }
        let (status, metrics) = process.page("/metrics").await.unwrap();
        assert_eq!(status, 200, "{}", process.name);
        let release =
            metrics.lines().find(|line| line.starts_with("shouwen_build_info{")).unwrap_or_default();
        assert!(release.contains(&format!("shouwen_version=\"{VERSION}\"")), "{}: {release}", process.name);
    }
}

#[tokio::test]
async fn the_first_administrator_is_made_once_and_gets_a_token_that_works() {
    // A deployment without an identity provider: its gateways are set to trust the key that `shouwen token` signs with.
    let data = tempfile::tempdir().unwrap();
    let keys = data.path().join("data/keys/jwks.json");
    let own = vec![
        ("edge.tokens.keys", keys.display().to_string()),
        ("edge.tokens.issuer", "shouwen-up".to_owned()),
    ];
    let shape = Shape { gateway_set: own, data_dir: Some(data.path().join("data")), ..Shape::default() };
    let suite = Suite::prepared(Place::shared().await, &shape);
    let made = suite.bootstrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    suite.start_all();
    suite.ready().await;
    let admin = Client::anonymous(channel(suite.gateways[0].address)).token(&token);
    let request = GetEmployeeRequest { name: "employees/admin".to_owned() };
    until("the administrator is known", PATIENCE, async || {
        admin.roster().get_employee(request.clone()).await.ok()
    })
    .await;

    let again = suite.bootstrap();
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
    assert!(again.stdout.is_empty() && text(&again).contains("the roster is not empty"), "{}", text(&again));
    // Neither does a roster that replaced the first administrator's entry let in a second one.
    suite.fill_roster_as(&admin).await;
    let again = suite.bootstrap();
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));

    let output = run(["token", "--subject", "li"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("employees/{employee}"), "{}", text(&output));
}

#[tokio::test]
async fn the_first_administrator_of_a_gateway_with_an_identity_provider_gets_no_token_of_ours() {
    let place = Place::shared().await;
    let dir = tempfile::tempdir().unwrap();
    // A place where nothing can be written, whoever runs this.
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let data = file.join("data");
    let key_set = data.join("keys/jwks.json").display().to_string();
    // All settings are in the environment.
    let bootstrap = |arguments: &[&str]| {
        let mut command = process::command();
        command.args(["token", "--bootstrap", "--data-dir"]).arg(&data).args(arguments);
        command.envs(Deployment::environment(&place, Kind::Gateway));
        command.env("SHOUWEN_EDGE__TOKENS__ISSUER", "https://login.example");
        command.output().unwrap()
    };

    let account = bootstrap(&["--subject", "serviceAccounts/crm"]);
    assert_eq!(account.status.code(), Some(2), "{}", text(&account));
    assert!(text(&account).contains("no employee"), "{}", text(&account));
    // Settings that trust keys which cannot be made: that shows before anybody is made.
    let trusting = format!("edge.tokens.keys={key_set}");
    let keyless = bootstrap(&["--set", "edge.tokens.issuer=shouwen-up", "--set", &trusting]);
    assert_eq!(keyless.status.code(), Some(2), "{}", text(&keyless));
    assert!(text(&keyless).contains("file/data/keys"), "{}", text(&keyless));

    let made = bootstrap(&["--subject", "employees/zhao"]);
    let said = text(&made);
    assert_eq!(made.status.code(), Some(0), "{said}");
    assert!(made.stdout.is_empty(), "{said}");
    assert!(said.contains("employees/zhao is the first administrator"), "{said}");
    assert!(said.contains("https://login.example"), "{said}");
    let again = bootstrap(&["--subject", "employees/zhao"]);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
    assert!(text(&again).contains("the roster is not empty"), "{}", text(&again));
}

#[test]
fn a_token_is_signed_only_with_a_key_that_is_there_and_where_it_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (key, key_set) = (data.join("keys/issuer.pem"), data.join("keys/jwks.json"));
    let token = |environment: &[(&str, &str)], flags: &[&str]| {
        let mut command = process::command();
        command.args(["token", "--data-dir"]).arg(&data).args(flags);
        command.envs(environment.iter().copied()).output().unwrap()
    };
    let none = token(&[], &[]);
    assert_eq!(none.status.code(), Some(2), "{}", text(&none));
    assert!(text(&none).contains("data/keys/issuer.pem: is not there"), "{}", text(&none));
    assert!(!data.exists(), "a token's key was made");

    fs::create_dir_all(data.join("keys")).unwrap();
    Issuer::open_or_create(&key, &key_set).unwrap();
    let in_use = format!("edge.tokens.keys={}", key_set.display());
    let trusting = vec!["--set", "edge.tokens.issuer=shouwen-up", "--set", in_use.as_str()];
    for flags in [Vec::new(), trusting] {
        let signed = token(&[], &flags);
        assert_eq!(signed.status.code(), Some(0), "{}", text(&signed));
        assert_eq!(String::from_utf8_lossy(&signed.stdout).trim().split('.').count(), 3, "{}", text(&signed));
    }
    // The settings of a gateway that would refuse it, by flags and in the environment alone.
    let production = [
        ("SHOUWEN_DATABASE__URL", "postgres://shouwen_ownership@203.0.113.1/shouwen"),
        ("SHOUWEN_EDGE__TOKENS__ISSUER", "https://login.example"),
    ];
    for refused in
        [token(&production, &[]), token(&[], &["--set", "edge.tokens.issuer=https://login.example"])]
    {
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(refused.stdout.is_empty() && said.contains("https://login.example"), "{said}");
    }
}

#[tokio::test]
async fn healthcheck_tells_by_its_exit_code_whether_a_service_is_ready() {
    let suite = Suite::start().await;
    for process in suite.processes() {
        let output = run(["healthcheck", "--address", &format!("http://{}", process.address)]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", process.name, text(&output));
    }
    let nobody = run(["healthcheck", "--timeout", "1", "--address", &format!("http://{}", ports::free())]);
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody));
    let nonsense = run(["healthcheck", "--address", "gateway"]);
    assert_eq!(nonsense.status.code(), Some(2), "{}", text(&nonsense));
}

#[tokio::test]
async fn migrate_may_be_repeated_and_takes_one_service_at_a_time() {
    let place = Place::shared().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("migrate.toml");
    fs::write(&file, format!("[admin]\nurl = \"{}\"\n", place.admin_url)).unwrap();
    let file = file.display().to_string();
    let all = run(["migrate", "--config", &file]);
    assert_eq!(all.status.code(), Some(0), "{}", text(&all));
    assert_eq!(text(&all).matches("is up to date").count(), 5, "{}", text(&all));
    let one = run(["migrate", "--config", &file, "--service", "calls"]);
    assert_eq!(one.status.code(), Some(0), "{}", text(&one));
    assert!(text(&one).contains("schema calls is up to date"), "{}", text(&one));
    assert!(!text(&one).contains("callbacks"), "{}", text(&one));
}

#[test]
fn a_demo_leaves_alone_what_it_did_not_make() {
    let output = tempfile::tempdir().unwrap();
    let precious = output.path().join("data/precious.txt");
    fs::create_dir(output.path().join("data")).unwrap();
    fs::write(&precious, "of somebody else").unwrap();
    let mut command = process::command();
    command.args(["demo", "--input", concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/branch-month")]);
    let refused = command.arg("--output").arg(output.path()).output().unwrap();
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("/data: ") && said.contains("--output"), "{said}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "of somebody else");
}
